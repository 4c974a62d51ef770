using System.Buffers;
using System.Numerics.Tensors;

namespace MlaGen.Models;

/// <summary>A sparse feed-forward part (transformers' <c>DeepseekV3MoE</c>): a few routed experts for each token, and one shared by all.</summary>
/// <param name="gate">From a hidden row to a value an expert.</param>
/// <param name="router">Chooses by them.</param>
/// <param name="experts">Those with weights; numbers beyond them are experts that give back what they get.</param>
/// <param name="sharedExperts">What every token meets, or <see langword="null"/>.</param>
internal sealed class MixtureOfExperts(Linear gate, ExpertRouter router, Mlp[] experts, Mlp? sharedExperts) : IFeedForward
{
    public void Forward(Workers workers, ReadOnlySpan<float> x, Span<float> y, int rows)
    {
        int chosen = router.ChosenExperts;
        using RentedFloats logits = new(rows * router.Experts);
        using RentedFloats weights = new(rows * chosen);
        int[] choiceScratch = ArrayPool<int>.Shared.Rent(rows * chosen);
        Span<int> choices = choiceScratch.AsSpan(0, rows * chosen);

        workers.MultiplyExactly(gate, x, logits.Span, rows);
        for (int row = 0; row < rows; row++)
        {
            router.Route(logits.Span.Slice(row * router.Experts, router.Experts), choices.Slice(row * chosen, chosen), weights.Span.Slice(row * chosen, chosen));
        }

        if (rows == 1)
        {
            ForwardRow(workers, x, y, choices, weights.Span);
            ArrayPool<int>.Shared.Return(choiceScratch);
            return;
        }

        // Experts are summed in ascending order, so that the sum of a row is the same whoever its neighbours are.
        y.Clear();
        for (int expert = 0; expert < experts.Length; expert++)
        {
            AddExpert(workers, expert, x, y, choices, weights.Span);
        }

        AddIdentities(x, y, choices, weights.Span);
        ArrayPool<int>.Shared.Return(choiceScratch);
        if (sharedExperts is not null)
        {
            using RentedFloats shared = new(y.Length);
            sharedExperts.Forward(workers, x, shared.Span, rows);
            TensorPrimitives.Add(y, shared.Span, y);
        }
    }

    /// <summary>One row: all its experts run beside each other.</summary>
    private void ForwardRow(Workers workers, ReadOnlySpan<float> x, Span<float> y, ReadOnlySpan<int> choices, ReadOnlySpan<float> weights)
    {
        Mlp[] parts = ArrayPool<Mlp>.Shared.Rent(choices.Length + 1);
        using RentedFloats partWeights = new(choices.Length);
        int count = 0;
        for (int expert = 0; expert < experts.Length; expert++)
        {
            for (int choice = 0; choice < choices.Length; choice++)
            {
                if (choices[choice] == expert)
                {
                    partWeights.Span[count] = weights[choice];
                    parts[count++] = experts[expert];
                }
            }
        }

        int width = x.Length;
        int all = sharedExperts is null ? count : count + 1;
        using RentedFloats outputs = new(all * width);
        if (sharedExperts is not null)
        {
            parts[count] = sharedExperts;
        }

        Mlp.ForwardEach(workers, parts.AsSpan(0, all), x, outputs.Span);
        ArrayPool<Mlp>.Shared.Return(parts, clearArray: true);
        y.Clear();
        for (int part = 0; part < count; part++)
        {
            Add(outputs.Span.Slice(part * width, width), partWeights.Span[part], y);
        }

        AddIdentities(x, y, choices, weights);
        if (sharedExperts is not null)
        {
            TensorPrimitives.Add(y, outputs.Span[(count * width)..], y);
        }
    }

    /// <summary>Gathers the rows that chose an expert, runs them through it together, and adds the weighted results.</summary>
    private void AddExpert(Workers workers, int expert, ReadOnlySpan<float> x, Span<float> y, ReadOnlySpan<int> choices, ReadOnlySpan<float> weights)
    {
        int rows = choices.Count(expert);
        if (rows == 0)
        {
            return;
        }

        int width = gate.InFeatures;
        int chosen = router.ChosenExperts;
        using RentedFloats input = new(rows * width);
        using RentedFloats output = new(rows * width);
        int gathered = 0;
        for (int choice = 0; choice < choices.Length; choice++)
        {
            if (choices[choice] == expert)
            {
                x.Slice(choice / chosen * width, width).CopyTo(input.Span.Slice(gathered++ * width, width));
            }
        }

        experts[expert].Forward(workers, input.Span, output.Span, rows);

        int scattered = 0;
        for (int choice = 0; choice < choices.Length; choice++)
        {
            if (choices[choice] == expert)
            {
                Add(output.Span.Slice(scattered++ * width, width), weights[choice], y.Slice(choice / chosen * width, width));
            }
        }
    }

    private void AddIdentities(ReadOnlySpan<float> x, Span<float> y, ReadOnlySpan<int> choices, ReadOnlySpan<float> weights)
    {
        int width = gate.InFeatures;
        for (int choice = 0; choice < choices.Length; choice++)
        {
            if (choices[choice] >= experts.Length)
            {
                int start = choice / router.ChosenExperts * width;
                Add(x.Slice(start, width), weights[choice], y.Slice(start, width));
            }
        }
    }

    private static void Add(ReadOnlySpan<float> row, float weight, Span<float> target) => TensorPrimitives.MultiplyAdd(row, weight, target, target);
}
