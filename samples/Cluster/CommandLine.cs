using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Cluster.Grains;
using Cluster.Hosting;
using Cluster.Links;
using Cluster.Planning;
using Cluster.Segments;
using Cluster.Telling;
using MlaGen;
using Samples;
using static Samples.CommandOptions;

namespace Cluster;

/// <summary>The program's commands and options.</summary>
internal static class CommandLine
{
    /// <summary>The command that a silo's process runs.</summary>
    public const string Silo = "silo";

    private const string Name = "cluster";
    private const double Longest = 86400;

    private static readonly Option<string[]> Prompt = new("--prompt") { Description = "Text that a story begins with. Given several times, as many stories are told together.", HelpName = "TEXT", DefaultValueFactory = static _ => ["Once upon a time"] };
    private static readonly Option<string?> Resume = new("--resume") { Description = "Storage of an earlier run: its stories go on, to the same end.", HelpName = "DIR" };
    private static readonly Option<string?> Directory = new("--directory") { Description = "Storage for segments and text. Without it they are deleted in the end.", HelpName = "DIR" };
    private static readonly Option<int> MaxTokens = Number("--max-tokens", "Tokens to tell at most.", 1, 16000, 600);
    private static readonly Option<int> Silos = Number("--silos", "Processes that hold segments; 0 keeps them all in this one.", 0, 64, 3);
    private static readonly Option<int> SegmentTokens = Number("--segment", "Tokens of a segment.", 16, 16384, 128);
    private static readonly Option<int> SaveInterval = Number("--save-interval", "Tokens after which a segment that is not full is saved.", 1, 16384, 32);
    private static readonly Option<WireFormat> Wire = Choice("--wire", "How queries and partial outputs travel", WireFormat.Float32);
    private static readonly Option<Placement> Place = Choice("--placement", "How segments are laid on silos", Placement.Spread);
    private static readonly Option<bool> UseRedis = new("--use-redis") { Description = "Keeps the list of members in a Redis server, which is started on this machine." };
    private static readonly Option<string?> Redis = new("--redis") { Description = "Keeps it in a server that runs.", HelpName = "HOST:PORT" };
    private static readonly Option<double> Temperature = Number("--temperature", "0 takes the most likely token, more lets chance in.", 0.0, 100.0, 0.8);
    private static readonly Option<int> Seed = Number("--seed", "Start of the random choices.", int.MinValue, int.MaxValue, 0);
    private static readonly Option<int> Threads = Number("--threads", "Threads that the model runs on.", 1, 1024, 1);
    private static readonly Option<double> Deadline = Number("--deadline", "Seconds after which a call to a segment has failed.", 0.1, Longest, 3.0);
    private static readonly Option<double> Patience = Number("--patience", "Seconds for which a step is tried anew.", 0.0, Longest, 60.0);
    private static readonly Option<bool> IgnoreEnd = new("--ignore-end") { Description = "Goes on past the end of a story." };
    private static readonly Option<bool> Quiet = new("--quiet") { Description = "Prints the stories alone." };

    private static readonly Option<string> Model = Word("--model", $"The model: {string.Join(", ", PlannedModel.Names)}.", PlannedModel.All[0].Name, PlannedModel.Names);
    private static readonly Option<long> Context = Number("--context", "Tokens of the context.", 1L, 1L << 40, 1_000_000L);
    private static readonly Option<int> Machines = Number("--machines", "Machines that hold it.", 1, 1024, 8);
    private static readonly Option<CacheFormat> Format = Choice("--cache", "How caches keep a token", CacheFormat.Float8);
    private static readonly Option<double> Link = Number("--link", "Gigabits a second of the coordinator's link.", 1e-3, 1e5, 10.0);
    private static readonly Option<double> RoundTrip = Number("--round-trip", "Milliseconds there and back of an empty message.", 0.0, 1e5, 0.1);
    private static readonly Option<double> Handling = Number("--handling", "Gigabytes a second that the coordinator gets into messages and out of them.", 1e-3, 1e6, 0.3);
    private static readonly Option<double> Bandwidth = Number("--bandwidth", "Gigabytes a second that a machine reads of its memory.", 1e-3, 1e6, 100.0);
    private static readonly Option<double> Compute = Number("--compute", "Gigaflops that its attention core does; left out, memory alone binds.", 1e-3, double.MaxValue, double.PositiveInfinity);

    private static readonly Option<int> MeasuredSegment = Number("--segment", "Tokens of a segment.", 256, 65536, 2048);
    private static readonly Option<int> MeasuredSilos = Number("--silos", "Silos, with one segment on each.", 1, 64, 3);
    private static readonly Option<int> MeasuredLayers = Number("--layers", "Layers.", 1, 256, 4);
    private static readonly Option<int> MeasuredTokens = Number("--tokens", "Tokens that are timed.", 1, 200, 50);
    private static readonly Option<string?> Namespaces = new("--namespaces") { Description = "Network namespaces that silos run in, as the script namespaces makes them: NAME-1 and so on, and NAME-0 for this program.", HelpName = "NAME" };

    private static readonly Option<string> DeviceName = new("--name") { Description = "What the names of devices begin with: NAME-0 and so on.", HelpName = "NAME", Required = true };
    private static readonly Option<int> Hosts = Number("--hosts", "Hosts beside the coordinator's.", 1, 200, 3);
    private static readonly Option<double> Delay = Number("--delay", "Milliseconds from each host to the switch.", 0.0, 1e5, 1.0);

    public static int Run(string[] arguments, TextWriter output, TextWriter error) =>
        ConsoleProgram.Run(Name, output, error, (plainOutput, plainError) => Run(arguments, plainOutput, plainError));

    private static int Run(string[] arguments, PlainWriter output, PlainWriter error)
    {
        Command tell = new("tell", "Starts silos on this machine and tells a story whose latents are spread over them.")
        {
            Prompt, MaxTokens, Silos, SegmentTokens, SaveInterval, Wire, Place, UseRedis, Redis, Directory, Resume, Temperature, Seed, Threads, Deadline, Patience, IgnoreEnd, Quiet,
        };
        tell.Validators.Add(static result => AtMostOne(result, Resume, Directory));
        tell.Validators.Add(static result => AtMostOne(result, Resume, Prompt));
        tell.Validators.Add(static result => AtMostOne(result, Redis, UseRedis));
        tell.SetAction(parsed => Execute(output, error, () => TellCommand.RunAsync(Read(parsed), output, parsed.GetValue(Quiet) ? TextWriter.Null : error)));

        Command plan = new("plan", "Says what a token costs in bytes and time when a context lies on several machines.")
        {
            Model, Context, Machines, Format, Wire, Link, RoundTrip, Handling, Bandwidth, Compute,
        };
        plan.SetAction(parsed => Execute(output, error, () =>
        {
            PlanCommand.Run(ReadPlan(parsed), output);
            return Task.CompletedTask;
        }));

        Command measure = new("measure", "Times the attention of DeepSeek-V3's dimensions over silos of this machine, beside one process and beside the plan.")
        {
            MeasuredSilos, MeasuredSegment, MeasuredLayers, MeasuredTokens, Wire, Link, RoundTrip, Namespaces,
        };
        measure.SetAction(parsed => Execute(output, error, () => new MeasureCommand(ReadMeasure(parsed)).RunAsync(output)));

        Command link = new("link", "Joins network namespaces by links of a rate and a delay, where the kernel cannot: what the script namespaces starts.")
        {
            DeviceName, Hosts, Link, Delay,
        };
        link.Hidden = true;
        link.SetAction(parsed => Execute(output, error, () =>
        {
            LinkCommand.Run(new LinkOptions(parsed.GetValue(DeviceName)!, parsed.GetValue(Hosts), parsed.GetValue(Delay), parsed.GetValue(Link)), output);
            return Task.CompletedTask;
        }));

        Command silo = new(Silo, "What the other commands start.") { Hidden = true };
        silo.SetAction(_ => Execute(output, error, () => SiloProcess.RunAsync(Console.In, output)));

        RootCommand root = new("Spreads the context of a model whose attention was generated by MlaGen over a cluster of Microsoft Orleans.") { tell, plan, measure, link, silo };
        ParseResult result = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
        return result.Errors.Count > 0 && result.Action is not HelpAction
            ? ConsoleProgram.Fail(Name, error, result.Errors[0].Message)
            : result.Invoke(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false });
    }

    private static int Execute(PlainWriter output, PlainWriter error, Func<Task> command)
    {
        try
        {
            command().GetAwaiter().GetResult();
            return 0;
        }
        catch (Exception problem) when (problem is UserException or CheckpointException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            if (!output.IsAtLineStart)
            {
                output.WriteLine();
            }

            return ConsoleProgram.Fail(Name, error, problem.Message);
        }
    }

    private static TellOptions Read(ParseResult parsed) => new(
        parsed.GetValue(Prompt)!,
        parsed.GetValue(Resume),
        parsed.GetValue(Directory),
        parsed.GetValue(MaxTokens),
        parsed.GetValue(Silos),
        parsed.GetValue(SegmentTokens),
        parsed.GetValue(SaveInterval),
        parsed.GetValue(Wire),
        parsed.GetValue(Place),
        parsed.GetValue(UseRedis) || parsed.GetValue(Redis) is not null,
        parsed.GetValue(Redis),
        parsed.GetValue(Temperature),
        parsed.GetValue(Seed),
        parsed.GetValue(Threads),
        parsed.GetValue(Deadline),
        parsed.GetValue(Patience),
        parsed.GetValue(IgnoreEnd),
        parsed.GetValue(Quiet));

    private static PlanOptions ReadPlan(ParseResult parsed) => new(
        Array.Find(PlannedModel.All, model => model.Name == parsed.GetValue(Model))!,
        parsed.GetValue(Context),
        parsed.GetValue(Machines),
        parsed.GetValue(Format),
        parsed.GetValue(Wire),
        parsed.GetValue(Link),
        parsed.GetValue(RoundTrip),
        parsed.GetValue(Handling),
        parsed.GetValue(Bandwidth),
        parsed.GetValue(Compute));

    private static MeasureOptions ReadMeasure(ParseResult parsed) => new(
        parsed.GetValue(MeasuredSilos),
        parsed.GetValue(MeasuredSegment),
        parsed.GetValue(MeasuredLayers),
        parsed.GetValue(MeasuredTokens),
        parsed.GetValue(Wire),
        parsed.GetValue(Link),
        parsed.GetValue(RoundTrip),
        parsed.GetValue(Namespaces));

    private static void AtMostOne(CommandResult result, params Option[] options)
    {
        Option[] given = [.. options.Where(option => result.GetResult(option) is { Implicit: false })];
        if (given.Length > 1)
        {
            result.AddError($"{given[0].Name} and {given[1].Name} exclude each other");
        }
    }
}
