using Samples;
using Storyteller;

return ConsoleProgram.Run((output, error) => CommandLine.Run(args, output, error));
