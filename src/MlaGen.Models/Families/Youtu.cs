namespace MlaGen.Models;

/// <summary>Youtu-LLM (transformers' <c>YoutuForCausalLM</c>): dense throughout.</summary>
internal sealed class Youtu : DecoderFamily
{
    public Youtu(ModelConfig model)
        : base(model) => _ = Width("intermediate_size");

    protected override bool TiesByDefault => true;
}
