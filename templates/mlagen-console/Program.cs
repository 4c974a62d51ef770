using MlaGen;
using MlaGenConsole;

const int Layers = 2;
const int PromptTokens = 16;
const int DecodedTokens = 4;

// Random weights. A trained model's are loaded, a layer at a time:
//   using Checkpoint checkpoint = Checkpoint.Open("model");
//   Attention.Weights weights = Attention.Weights.Load(checkpoint, $"model.layers.{layer}.self_attn.");
var random = new Random(1);
Attention[] layers = [.. Enumerable.Range(0, Layers).Select(layer => new Attention(RandomWeights(), layer))];

// The cache keeps one row a token and layer; its size is known before anything is allocated.
using LatentCache<Attention> cache = Attention.CreateCache(Layers, maxTokens: 1024);
using LatentSequence sequence = cache.CreateSequence();
using MlaBatch<Attention> batch = cache.CreateBatch();
Console.WriteLine($"{Attention.CacheRowElements} floats a token and layer, {Attention.CacheBytes(Layers, 1024):N0} bytes for 1024 tokens; kernels of {SimdTiers.Current}");

// The prompt at once, then a token at a time.
Step(PromptTokens);
for (int token = 0; token < DecodedTokens; token++)
{
    Step(1);
}

void Step(int tokens)
{
    float[] hidden = Random(tokens * Attention.HiddenSize, 1);
    float[] output = new float[hidden.Length];
    batch.Add(sequence, tokens);
    foreach (Attention attention in layers)
    {
        attention.Forward(batch, hidden, output);

        // The rest of a decoder layer (norms and feed-forward) would stand here.
        for (int i = 0; i < hidden.Length; i++)
        {
            hidden[i] += output[i];
        }
    }

    batch.Commit();
    Console.WriteLine($"tokens: {tokens} more, {sequence.Length} in all; last output begins with {output[^Attention.HiddenSize]:F4}");
}

Attention.Weights RandomWeights() => new(
    new Attention.QAProj(Matrix(Attention.QAProj.Rows, Attention.QAProj.Columns)),
    new Attention.QALayernorm(Ones(Attention.QALayernorm.Length)),
    new Attention.QBProj(Matrix(Attention.QBProj.Rows, Attention.QBProj.Columns)),
    new Attention.KvAProjWithMqa(Matrix(Attention.KvAProjWithMqa.Rows, Attention.KvAProjWithMqa.Columns)),
    new Attention.KvALayernorm(Ones(Attention.KvALayernorm.Length)),
    new Attention.KvBProj(Matrix(Attention.KvBProj.Rows, Attention.KvBProj.Columns)),
    new Attention.OProj(Matrix(Attention.OProj.Rows, Attention.OProj.Columns)));

float[] Matrix(int rows, int columns) => Random(rows * columns, 1 / float.Sqrt(columns));

float[] Random(int count, float scale)
{
    float[] values = new float[count];
    for (int i = 0; i < count; i++)
    {
        values[i] = ((random.NextSingle() * 2) - 1) * scale;
    }

    return values;
}

static float[] Ones(int count)
{
    float[] values = new float[count];
    Array.Fill(values, 1f);
    return values;
}
