using Cluster;
using Samples;

return ConsoleProgram.Run((output, error) => CommandLine.Run(args, output, error));
