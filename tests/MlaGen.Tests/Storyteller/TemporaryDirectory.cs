namespace MlaGen.Tests.Storyteller;

/// <summary>A directory that lives as long as a test.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("mlagen-").FullName;

    /// <summary>A copy of the story model, to be damaged.</summary>
    public static TemporaryDirectory WithStoryModel()
    {
        TemporaryDirectory directory = new();
        foreach (string file in Directory.EnumerateFiles(StoryData.ModelDirectory))
        {
            File.Copy(file, System.IO.Path.Combine(directory.Path, System.IO.Path.GetFileName(file)));
        }

        return directory;
    }

    public string Write(string file, byte[] content)
    {
        string path = System.IO.Path.Combine(Path, file);
        File.WriteAllBytes(path, content);
        return path;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
