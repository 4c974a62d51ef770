using MlaGen.Generator.Model;

namespace MlaGen.Generator.Configs;

/// <summary>Reads output gates and sinks: fixed by the model's class, or switched on by a key of its own.</summary>
internal static class GateMapper
{
    /// <summary>Kimi's key: on or off.</summary>
    public const string Switch = "mla_use_output_gate";

    /// <summary>Ling's key: which gate.</summary>
    public const string Granularity = "gated_attention_proj_granularity_type";

    public static MlaSettings Map(ConfigObject config, ModelProfile profile, MlaSettings settings, ProblemSink sink)
    {
        OutputGate gate = profile.GateKey switch
        {
            Switch => config.Boolean(Switch) == true ? OutputGate.ElementWise : OutputGate.None,
            Granularity => OfGranularity(config, sink),
            _ => profile.Gate,
        };
        return settings with
        {
            OutputGate = gate == OutputGate.None ? null : gate,
            OutputGateName = gate is OutputGate.HeadWise or OutputGate.ElementWise ? profile.GateName : null,
            AttentionSinks = profile.HasSinks ? true : null,
        };
    }

    private static OutputGate OfGranularity(ConfigObject config, ProblemSink sink)
    {
        if (config.FindOn(Granularity) is not { } property)
        {
            return OutputGate.None;
        }

        switch (property.Value.Text)
        {
            case "head_wise":
                return OutputGate.HeadWise;
            case "element_wise":
                return OutputGate.ElementWise;
            default:
                sink.Add(ConfigRules.UnsupportedFeature, property.Span, property.Name, property.Value.ToString(), "the output gates that are generated are 'head_wise' and 'element_wise'");
                return OutputGate.None;
        }
    }
}
