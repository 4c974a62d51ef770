namespace MlaGen.Build;

/// <summary>What the build task, which writes manifests, and the analyzer, which reads them, have to agree on: both compile this file.</summary>
internal static class ManifestFormat
{
    /// <summary>First line of a manifest; the number grows when the format changes.</summary>
    public const string Header = "# MlaGen checkpoint manifest 1";
}
