using Explorer;
using Explorer.Output;
using Samples;

return ConsoleProgram.Run((output, error) => CommandLine.Run(args, output, error, Screen.OfProcess()));
