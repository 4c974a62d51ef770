using System.Text;

namespace MlaGen.Models.Tests.Golden;

/// <summary>Writes safetensors files.</summary>
internal static class SafetensorsText
{
    public static void Write(string path, IReadOnlyCollection<(string Name, string Type, long[] Shape, byte[] Data)> tensors)
    {
        long end = 0;
        string header = string.Join(',', tensors.Select(tensor =>
            FormattableString.Invariant($"\"{tensor.Name}\":{{\"dtype\":\"{tensor.Type}\",\"shape\":[{string.Join(',', tensor.Shape)}],\"data_offsets\":[{end},{end += tensor.Data.Length}]}}")));
        byte[] json = Encoding.UTF8.GetBytes($"{{{header}}}");
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)json.Length), .. json, .. tensors.SelectMany(static tensor => tensor.Data)]);
    }
}
