using MlaGen;
using Cluster.Segments;
using Samples;
using Spectre.Console;
using static System.FormattableString;

namespace Cluster.Planning;

/// <summary>What <c>plan</c> is asked for.</summary>
/// <param name="Model">The model.</param>
/// <param name="Context">Tokens of the context.</param>
/// <param name="Machines">Machines that hold it.</param>
/// <param name="Format">How caches keep it.</param>
/// <param name="Wire">How numbers travel.</param>
/// <param name="LinkGigabits">Gigabits a second of the coordinator's link.</param>
/// <param name="RoundTripMilliseconds">There and back for an empty message.</param>
/// <param name="HandlingGigabytes">Gigabytes a second that the coordinator gets into messages and out of them.</param>
/// <param name="BandwidthGigabytes">Gigabytes a second that a machine reads of its memory.</param>
/// <param name="ComputeGigaflops">Thousand million operations a second that its attention core does; infinite where memory alone binds.</param>
internal sealed record PlanOptions(
    PlannedModel Model,
    long Context,
    int Machines,
    CacheFormat Format,
    WireFormat Wire,
    double LinkGigabits,
    double RoundTripMilliseconds,
    double HandlingGigabytes,
    double BandwidthGigabytes,
    double ComputeGigaflops);

/// <summary>Prints what a token costs in bytes and time over 1, 2, 4, … machines, and where the network starts to bind.</summary>
internal static class PlanCommand
{
    public static void Run(PlanOptions options, TextWriter output)
    {
        PlannedModel model = options.Model;
        long cache = options.Context * model.Layers * model.RowBytes(options.Format);
        output.WriteLine(Invariant($"{model.Name}: {Counted.Of(model.Layers, "layer")}, {Counted.Of(model.Heads, "head")}, latent {model.KvLoraRank}, rotary key {model.QkRopeHeadDim}"));
        output.WriteLine(Invariant($"context of {Counted.Of(options.Context, "token")} in {options.Format}: {cache / 1e9:F2} GB of latents, {Counted.Of(model.RowBytes(options.Format), "byte")} a token and layer"));
        output.WriteLine(Invariant($"link {options.LinkGigabits:G4} Gbit/s, round trip {options.RoundTripMilliseconds:G4} ms, messages {options.HandlingGigabytes:G4} GB/s, memory {options.BandwidthGigabytes:G4} GB/s, {options.Wire} on the wire"));
        output.WriteLine();

        Table table = Tables.Create("machines", "GB each", "MB on the wire", "network ms", "attention ms", "token ms", "tokens/s", "bound by");
        foreach (int machines in Counts(options.Machines))
        {
            (double network, double attention) = Times(options, machines);
            LinkPlan plan = Link(options, machines);
            table.AddRow(
                Invariant($"{machines}"),
                Invariant($"{cache / 1e9 / machines:F2}"),
                Invariant($"{plan.Bytes * model.Layers / 1e6:F2}"),
                Invariant($"{network * 1e3:F2}"),
                Invariant($"{attention * 1e3:F2}"),
                Invariant($"{(network + attention) * 1e3:F2}"),
                Invariant($"{1 / (network + attention):F2}"),
                network > attention ? "network" : "attention");
        }

        Tables.Write(table, output);
        output.WriteLine();
        output.WriteLine(Verdict(options));
        output.WriteLine("Weights of the model around the attention are read by the coordinator, on one machine or on many, and are not counted.");
    }

    /// <summary>Where one machine more costs more than it saves, and from which context on attention takes longer than the network.</summary>
    private static string Verdict(PlanOptions options)
    {
        int best = Enumerable.Range(1, 1024).MinBy(machines => Total(options, machines));
        LinkPlan plan = Link(options, options.Machines);
        double perToken = plan.AttentionTime(options.Machines, options.Format, options.BandwidthGigabytes * 1e9, options.ComputeGigaflops * 1e9) / options.Machines;
        double binding = plan.NetworkTime / perToken;
        return Invariant($"The network binds below {Counted.Of((long)Math.Ceiling(binding), "token")} on {Counted.Of(options.Machines, "machine")}; this context is fastest on {best}.");
    }

    private static double Total(PlanOptions options, int machines)
    {
        (double network, double attention) = Times(options, machines);
        return network + attention;
    }

    private static (double Network, double Attention) Times(PlanOptions options, int machines)
    {
        LinkPlan plan = Link(options, machines);
        int layers = options.Model.Layers;
        return (layers * plan.NetworkTime, layers * plan.AttentionTime(options.Context, options.Format, options.BandwidthGigabytes * 1e9, options.ComputeGigaflops * 1e9));
    }

    private static LinkPlan Link(PlanOptions options, int machines) => new(options.Model, machines, options.Wire, options.LinkGigabits * 1e9, options.RoundTripMilliseconds / 1e3, options.HandlingGigabytes * 1e9);

    /// <summary>1, 2, 4, … up to what was asked for.</summary>
    private static IEnumerable<int> Counts(int most)
    {
        for (int machines = 1; machines < most; machines *= 2)
        {
            yield return machines;
        }

        yield return most;
    }
}
