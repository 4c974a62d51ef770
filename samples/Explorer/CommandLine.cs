using System.CommandLine;
using System.CommandLine.Help;
using System.Globalization;
using Explorer.Commands;
using Explorer.Models;
using Explorer.Output;
using MlaGen;
using Samples;
using static Samples.CommandOptions;

namespace Explorer;

/// <summary>The program's commands.</summary>
internal sealed class CommandLine
{
    private const string Name = "explorer";
    private const int MostThreads = 1024;

    private static readonly string[] Precisions = [.. Enum.GetValues<MlaPrecision>().Select(Model.Called)];
    private static readonly string[] Caches = [.. Enum.GetValues<CacheFormat>().Select(Model.Called)];

    private static readonly Option<int> Heads = Choice("--heads", "Heads of the shape: " + string.Join(", ", Model.All.Select(static model => $"{model.Heads} {model.Name}")) + ".", 128, [.. Model.All.Select(static model => model.Heads)]);
    private static readonly Option<int> Context = Number("--context", "Cached tokens.", 1, 1 << 20, 4096);
    private static readonly Option<int> Queries = Number("--queries", "Query tokens of the sequence in a step.", 1, 256, 1);
    private static readonly Option<int> Longest = Number("--context", "Cached tokens at most.", 1, 1 << 20, 32768);
    private static readonly Option<string> ModelName = Word("--model", "Shape: " + string.Join(", ", Model.All.Select(static model => model.Name)) + ".", "V3", [.. Model.All.Select(static model => model.Name)]);
    private static readonly Option<string> SparseName = Word("--model", "Shape: " + string.Join(", ", SparseModel.All.Select(static model => model.Name)) + ".", "V3.2", [.. SparseModel.All.Select(static model => model.Name)]);
    private static readonly Option<int> SparseContext = Number("--context", "Cached tokens at most.", 1, 1 << 17, 1 << 17);
    private static readonly Option<int> PromptTokens = Number("--context", "Tokens of the prompt.", 1, 1 << 17, 1 << 14);
    private static readonly Option<int> PromptStep = Number("--step", "Tokens that a step takes.", 1, 1 << 14, 1 << 12);
    private static readonly Option<int> Cached = Number("--context", "Tokens that each sequence has in the cache.", 0, 1 << 20, 4096);
    private static readonly Option<int> Batch = Number("--batch", "Sequences, one new token each.", 1, 4096, 1);
    private static readonly Option<int> Rows = Number("--rows", "Rows that are multiplied together.", 1, 4096, 256);
    private static readonly Option<int> Outputs = Number("--outputs", "Outputs of the matrix.", 1, 1 << 20, 32768);
    private static readonly Option<int> Inputs = Number("--inputs", "Inputs of the matrix.", 1, 1 << 16, 8192);
    private static readonly Option<int> Layers = Number("--layers", "Layers.", 2, 27, 27);
    private static readonly Option<int> Experts = Number("--experts", "Routed experts of a layer.", SyntheticModel.ChosenExperts, 64, 64);
    private static readonly Option<int> Vocabulary = Number("--vocabulary", "Tokens.", 1, 102400, 102400);
    private static readonly Option<string?> Checkpoint = new("--directory") { Description = "Where the checkpoint is kept; without it it is temporary, 31 GB.", HelpName = "DIR" };
    private static readonly Option<string> Format = Word("--weights", "How weights are kept: " + string.Join(", ", Enum.GetNames<WeightFormat>()) + ".", nameof(WeightFormat.Int4Group64), Enum.GetNames<WeightFormat>());
    private static readonly Option<bool> Keep = new("--keep") { Description = "Keeps packed weights in a file beside the checkpoint, and maps them from there if they are." };
    private static readonly Option<int> Threads = Number("--threads", "Threads to compute on.", 1, MostThreads, Environment.ProcessorCount);
    private static readonly Option<double> Seconds = Number("--seconds", "About how long a kernel is measured.", 0.01, 3600, 3.0);
    private static readonly Option<string> Cache = Word("--cache", "How the cache stores a row: " + string.Join(", ", Caches) + ".", Model.Called(CacheFormat.Float32), Caches);
    private static readonly Option<string> Precision = Word("--precision", "How exactly products are formed: " + string.Join(", ", Precisions) + ".", Model.Called(MlaPrecision.Highest), Precisions);
    private static readonly Option<string> Call = Word("--call", "What is called first: " + string.Join(", ", WarmupCommand.Calls) + ".", WarmupCommand.Calls[0], WarmupCommand.Calls);
    private static readonly Option<string?> OneDnn = new("--onednn") { Description = "Times oneDNN too, by the library that tests/peers builds.", HelpName = "FILE" };
    private static readonly Option<bool> Json = new("--json") { Description = "Prints one JSON object a measured kernel, and nothing else." };
    private static readonly Option<string?> Plot = new("--plot") { Description = "Draws the result to a file, by its extension .svg or .png.", HelpName = "FILE" };

    private readonly PlainWriter _output;
    private readonly PlainWriter _error;
    private readonly TextWriter? _progress;
    private readonly int _width;

    private CommandLine(PlainWriter output, PlainWriter error, TextWriter? progress, int width)
    {
        _output = output;
        _error = error;
        _progress = progress;
        _width = width;
    }

    public static int Run(string[] arguments, TextWriter output, TextWriter error, Screen screen) =>
        ConsoleProgram.Run(Name, output, error, (plainOutput, plainError) => new CommandLine(plainOutput, plainError, screen.ShowsProgress ? error : null, screen.Width).Run(arguments));

    private int Run(string[] arguments)
    {
        RootCommand root = new("Measures the kernels that MlaGen generates beside what this machine can do at most.")
        {
            Subcommand("decode", "The attention core of one decoded token, or of a few of one sequence.", [Heads, Context, Queries, Cache, Precision], static (parsed, options, report) =>
                DecodeCommand.Run(
                    Shape(parsed, Context),
                    Enum.Parse<CacheFormat>(parsed.GetValue(Cache)!, ignoreCase: true),
                    Enum.Parse<MlaPrecision>(parsed.GetValue(Precision)!, ignoreCase: true),
                    Within(parsed.GetValue(Queries), parsed.GetValue(Context)),
                    parsed.GetValue(Context),
                    options,
                    report)),
            Subcommand("prefill", "The attention core of a prompt, on decompressed keys and values.", [Heads, Context, Cache, Precision], static (parsed, options, report) =>
                PrefillCommand.Run(Shape(parsed, Context), Enum.Parse<CacheFormat>(parsed.GetValue(Cache)!, ignoreCase: true), Enum.Parse<MlaPrecision>(parsed.GetValue(Precision)!, ignoreCase: true), parsed.GetValue(Context), options, report)),
            Subcommand("layer", "A whole layer with bf16 weights, one new token a sequence, and its projections alone.", [ModelName, Cached, Batch], static (parsed, options, report) =>
                LayerCommand.Run(Reaching(Model.Named(parsed.GetValue(ModelName)!), parsed.GetValue(Cached) + 1), parsed.GetValue(Cached), parsed.GetValue(Batch), options, report)),
            Subcommand("projections", "The projections of a layer alone, with bf16 weights.", [ModelName, Rows, Precision], static (parsed, options, report) =>
                ProjectionsCommand.Run(Model.Named(parsed.GetValue(ModelName)!), parsed.GetValue(Rows), Enum.Parse<MlaPrecision>(parsed.GetValue(Precision)!, ignoreCase: true), options, report)),
            Subcommand("compare", "MLA absorbed, MLA decompressed and multi-head attention over contexts from 64 tokens on.", [Heads, Longest, Precision], static (parsed, options, report) =>
                CompareCommand.Run(Model.WithHeads(parsed.GetValue(Heads)), parsed.GetValue(Longest), Enum.Parse<MlaPrecision>(parsed.GetValue(Precision)!, ignoreCase: true), options, report)),
            Subcommand("sparse", "One decoded token by sparse attention, part by part, and by dense attention, over contexts from 1024 tokens on.", [SparseName, SparseContext], static (parsed, options, report) =>
                SparseCommand.Run(SparseModel.Named(parsed.GetValue(SparseName)!), parsed.GetValue(SparseContext), options, report)),
            Subcommand("prompt", "A whole prompt by sparse attention, and by dense attention.", [SparseName, PromptTokens, PromptStep], static (parsed, options, report) =>
                PromptCommand.Run(SparseModel.Named(parsed.GetValue(SparseName)!), parsed.GetValue(PromptTokens), parsed.GetValue(PromptStep), options, report)),
            Subcommand("peers", "The decode core beside what else computes it in .NET.", [Heads, Context, Cache, Precision, OneDnn], static (parsed, options, report) =>
                PeersCommand.Run(Shape(parsed, Context), Enum.Parse<CacheFormat>(parsed.GetValue(Cache)!, ignoreCase: true), Enum.Parse<MlaPrecision>(parsed.GetValue(Precision)!, ignoreCase: true), parsed.GetValue(OneDnn), parsed.GetValue(Context), options, report)),
            Subcommand("warmup", "The first call of a process after Warmup, and those that follow.", [ModelName, Context, Call], static (parsed, options, report) =>
                WarmupCommand.Run(Reaching(Model.Named(parsed.GetValue(ModelName)!), parsed.GetValue(Context) + 1), parsed.GetValue(Call)!, parsed.GetValue(Context), options, report)),
            Subcommand("weights", "One row times a matrix beyond the caches, in every format of weights.", [Outputs, Inputs], static (parsed, options, report) =>
                WeightsCommand.Run(parsed.GetValue(Outputs), parsed.GetValue(Inputs), options, report)),
            Subcommand("model", "A checkpoint of DeepSeek-V2-Lite's shape, written, loaded, and a decoded token beside what DRAM allows.", [Layers, Experts, Vocabulary, Checkpoint, Format, Keep], static (parsed, options, report) =>
                ModelCommand.Run(
                    new SyntheticModel(parsed.GetValue(Layers), parsed.GetValue(Experts), parsed.GetValue(Vocabulary)),
                    parsed.GetValue(Checkpoint),
                    Enum.Parse<WeightFormat>(parsed.GetValue(Format)!, ignoreCase: true),
                    parsed.GetValue(Keep),
                    options,
                    report)),
            Subcommand("roofline", "FMA peak, DRAM read bandwidth, and where each kernel stands.", [], static (_, options, report) =>
                RooflineCommand.Run(options, report)),
        };

        root.Subcommands.Add(Sizes());
        ParseResult result = root.Parse(arguments, new ParserConfiguration { EnablePosixBundling = false });
        return result.Errors.Count > 0 && result.Action is not HelpAction
            ? Fail(Problem(result))
            : result.Invoke(new InvocationConfiguration { Output = _output, Error = _error, EnableDefaultExceptionHandler = false });
    }

    private Command Sizes()
    {
        Argument<string[]> directories = new("directories") { Description = "Directories with a config.json; none for the published ones that come with the program.", Arity = ArgumentArity.ZeroOrMore };
        Command command = new("sizes", "The memory that the weights of models take in bf16, int8 and int4, from their configurations.") { directories };
        command.SetAction(parsed =>
        {
            try
            {
                SizesCommand.Run(parsed.GetValue(directories)!, _output);
                return 0;
            }
            catch (Exception problem) when (problem is MlaGen.Models.ModelConfigException or IOException or UnauthorizedAccessException)
            {
                return Fail(problem.Message);
            }
        });
        return command;
    }

    private Command Subcommand(string name, string description, Option[] options, Action<ParseResult, MeasurementOptions, Report> run)
    {
        Command command = new(name, description);
        foreach (Option option in (Option[])[.. options, Threads, Seconds, Json, Plot])
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed =>
        {
            try
            {
                string? plot = parsed.GetValue(Plot);
                if (plot is not null)
                {
                    Chart.CheckFile(plot);
                }

                run(parsed, new MeasurementOptions(parsed.GetValue(Threads), parsed.GetValue(Seconds)), new Report(_output, _error, _progress, _width, parsed.GetValue(Json), plot));
                return 0;
            }
            catch (Exception problem) when (problem is UserException or IOException or UnauthorizedAccessException or OutOfMemoryException)
            {
                return Fail(problem.Message);
            }
        });
        return command;
    }

    private static string Problem(ParseResult result)
    {
        string commands = string.Join(", ", result.RootCommandResult.Command.Subcommands.Select(static command => command.Name));
        return (result.CommandResult.Command, result.UnmatchedTokens) switch
        {
            (RootCommand, [{ } token, ..]) => $"'{token}' is no command; there are {commands}, and --help says what they do",
            (RootCommand, _) => $"a command is expected: {commands}; --help says what they do",
            (Command command, [{ } token, ..]) => $"'{token}' is no option of {command.Name}; {command.Name} --help lists them",
            _ => result.Errors[0].Message,
        };
    }

    private int Fail(string message) => ConsoleProgram.Fail(Name, _error, message);

    /// <summary>The shape with the heads that were asked for, if it reaches as far as the context.</summary>
    private static Model Shape(ParseResult parsed, Option<int> context)
    {
        Model model = Model.WithHeads(parsed.GetValue(Heads));
        return Reaching(model, parsed.GetValue(context));
    }

    private static Model Reaching(Model model, int tokens) => tokens <= model.Layer.Shape.MaxPositionEmbeddings
        ? model
        : throw new UserException(FormattableString.Invariant($"{model.Name} has positions for {Counted.Of(model.Layer.Shape.MaxPositionEmbeddings, "token")}, not for {tokens}"));

    private static int Within(int queries, int context) => queries <= context
        ? queries
        : throw new UserException(FormattableString.Invariant($"{Counted.Of(queries, "query", "queries")} are the last of {Counted.Of(context, "cached token")}: --context takes as many or more"));

    private static Option<int> Choice(string name, string description, int preset, int[] choices) => new(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = _ => preset,
        CustomParser = argument =>
        {
            string text = argument.Tokens[0].Value;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && choices.Contains(value))
            {
                return value;
            }

            argument.AddError($"{name} takes one of {string.Join(", ", choices)}, not '{text}'");
            return preset;
        },
    };
}
