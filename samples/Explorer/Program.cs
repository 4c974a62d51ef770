using System.Text;
using Explorer;

// UTF-8 whatever the console's code page is: a table or a JSON line in a file is the same everywhere.
using StreamWriter output = new(Console.OpenStandardOutput(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true };
using StreamWriter error = new(Console.OpenStandardError(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true };
return CommandLine.Run(args, output, error);
