namespace Storyteller;

/// <summary>Files of a model's directory. A pipe in its place would be waited for, a device might never end: both have no length.</summary>
internal static class ModelFile
{
    /// <exception cref="InvalidDataException">It is empty, or no regular file.</exception>
    public static FileStream OpenRead(string path)
    {
        FileInfo file = new(path);
        FileInfo target = file.LinkTarget is null ? file : (FileInfo?)file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
        return target is { Exists: true, Length: 0 } ? throw new InvalidDataException($"{path} is empty or no regular file") : File.OpenRead(path);
    }
}
