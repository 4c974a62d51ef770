using System.Text;
using Storyteller;

// UTF-8 whatever the console's code page is: a story in a file is the same everywhere.
using StreamWriter output = new(Console.OpenStandardOutput(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
using StreamWriter error = new(Console.OpenStandardError(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
return CommandLine.Run(args, output, error);
