using MlaGen.Package.Tests.Infrastructure;

namespace MlaGen.Package.Tests;

/// <summary>Checkpoints in a user's build: compared once, again when they change, and never more than needed.</summary>
[Collection(PackageTestGroup.Name)]
[Trait("Category", "Package")]
public sealed class CheckpointBuildTests(PackageFeed feed)
{
    private const string OneClass =
        """
        using MlaGen;

        [MlaAttention(HiddenSize = 256, Heads = 8, QLoraRank = 128, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32)]
        public sealed partial class StoryLayer;
        """;

    [Fact]
    public void One_edited_number_of_the_story_models_config_fails_the_build_with_tensor_and_shapes()
    {
        string directory = feed.CreateProject(
            "story",
            items: $"""<MlaModelConfig Include="config.json" Name="story" /><MlaCheckpoint Include="{PackageFeed.StoryModel}" Class="StoryAttention" />""");
        string config = File.ReadAllText(Path.Combine(PackageFeed.StoryModel, "config.json"));
        File.WriteAllText(Path.Combine(directory, "config.json"), config);
        File.WriteAllText(Path.Combine(directory, "StoryAttention.cs"), "[MlaGen.MlaAttention(\"story\")]\npublic sealed partial class StoryAttention;\n");
        Dotnet.Run(directory, "build").Succeeds();

        string edited = config.Replace("\"kv_lora_rank\": 64", "\"kv_lora_rank\": 96", StringComparison.Ordinal);
        Assert.NotEqual(config, edited);
        File.WriteAllText(Path.Combine(directory, "config.json"), edited);

        string line = Dotnet.Run(directory, "build", "--no-restore").Fails().Line("error MLA0200", "kv_a_proj_with_mqa.weight");
        Assert.Contains("StoryAttention.cs(1,2)", line, StringComparison.Ordinal);
        Assert.Contains("is [80, 256]; expected [112, 256] = [KvLoraRank+QkRopeHeadDim, HiddenSize]", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Checkpoint_is_read_when_it_changes_and_only_then()
    {
        string directory = CreateProject("incremental", """<MlaCheckpoint Include="model" Class="StoryLayer" />""");
        string model = Directory.CreateDirectory(Path.Combine(directory, "model")).FullName;
        string file = Path.Combine(model, "model.safetensors");
        SafetensorsWriter.Write(file, SafetensorsWriter.Layer(0));
        Dotnet.Run(directory, "build").Succeeds();
        string manifest = Directory.GetFiles(Path.Combine(directory, "obj"), "*.mlacheckpoint", SearchOption.AllDirectories).Single();
        DateTime written = File.GetLastWriteTimeUtc(manifest);

        CommandResult unchanged = Dotnet.Run(directory, "build", "--no-restore", "-v:normal").Succeeds();
        Assert.Contains("Skipping target \"_MlaReadCheckpoints\"", unchanged.Output, StringComparison.Ordinal);
        Assert.Contains("Skipping target \"CoreCompile\"", unchanged.Output, StringComparison.Ordinal);

        // Newer, but the same tensors: read again, and nothing is compiled for it.
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow);
        CommandResult touched = Dotnet.Run(directory, "build", "--no-restore", "-v:normal").Succeeds();
        Assert.DoesNotContain("Skipping target \"_MlaReadCheckpoints\"", touched.Output, StringComparison.Ordinal);
        Assert.Contains("Skipping target \"CoreCompile\"", touched.Output, StringComparison.Ordinal);
        Assert.Equal(written, File.GetLastWriteTimeUtc(manifest));

        SafetensorsWriter.Write(file, SafetensorsWriter.Layer(0, kvLoraRank: 32));
        Dotnet.Run(directory, "build", "--no-restore").Fails().Line("error MLA0200", "kv_a_proj_with_mqa.weight", "is [48, 256]; expected [80, 256]");

        // The same checkpoint as one of several files, older than what was read.
        File.Delete(file);
        SafetensorsWriter.Write(Path.Combine(model, "model-00001-of-00001.safetensors"), SafetensorsWriter.Layer(0));
        string map = string.Join(',', SafetensorsWriter.Layer(0).Select(static tensor => $"\"{tensor.Name}\":\"model-00001-of-00001.safetensors\""));
        File.WriteAllText(Path.Combine(model, "model.safetensors.index.json"), "{\"weight_map\":{" + map + "}}");
        Array.ForEach(Directory.GetFiles(model), static path => File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddYears(-1)));
        Dotnet.Run(directory, "build", "--no-restore").Succeeds();
    }

    [Fact]
    public void Design_time_build_passes_the_manifest_to_the_compiler()
    {
        string directory = CreateProject("designtime", $"""<MlaCheckpoint Include="{PackageFeed.StoryModel}" Class="StoryLayer" />""");
        Dotnet.Run(directory, "restore").Succeeds();

        CommandResult result = Dotnet.Run(
            directory, "msbuild", "-t:Compile", "-p:DesignTimeBuild=true", "-p:BuildingInsideVisualStudio=true", "-p:SkipCompilerExecution=true", "-p:ProvideCommandLineArgs=true", "-getItem:CscCommandLineArgs").Succeeds();
        Assert.Contains(".mlacheckpoint", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_checkpoint_is_a_warning_that_can_be_made_an_error()
    {
        string directory = CreateProject("missing", """<MlaCheckpoint Include="nowhere" Class="StoryLayer" />""");

        Dotnet.Run(directory, "build").Succeeds().Line("warning MLA0280", "'nowhere'", "'StoryLayer'");

        // Also when nothing else is new.
        Dotnet.Run(directory, "build", "--no-restore").Succeeds().Line("warning MLA0280", "'nowhere'");
        Dotnet.Run(directory, "build", "--no-restore", "-p:WarningsAsErrors=MLA0280").Fails().Line("error MLA0280", "'nowhere'");
        Assert.DoesNotContain("MLA0280", Dotnet.Run(directory, "build", "--no-restore", "-p:NoWarn=MLA0280").Succeeds().Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Truncated_checkpoint_and_checkpoint_without_a_class_are_errors()
    {
        string directory = CreateProject("broken", """<MlaCheckpoint Include="model.safetensors" Class="StoryLayer" />""");
        string file = Path.Combine(directory, "model.safetensors");
        SafetensorsWriter.Write(file, SafetensorsWriter.Layer(0));
        using (FileStream stream = File.OpenWrite(file))
        {
            stream.SetLength(stream.Length - 1);
        }

        string line = Dotnet.Run(directory, "build").Fails().Line("error MLA0281", "model.safetensors");
        Assert.Contains("model.layers.0.self_attn.o_proj.weight", line, StringComparison.Ordinal);

        // A failure is not taken for work done.
        Dotnet.Run(directory, "build", "--no-restore").Fails().Line("error MLA0281");

        string project = Path.Combine(directory, "broken.csproj");
        File.WriteAllText(project, File.ReadAllText(project).Replace(" Class=\"StoryLayer\"", string.Empty, StringComparison.Ordinal));
        Dotnet.Run(directory, "build", "--no-restore").Fails().Line("error MLA0282", "'model.safetensors'");
    }

    private string CreateProject(string name, string items)
    {
        string directory = feed.CreateProject(name, items: items);
        File.WriteAllText(Path.Combine(directory, "StoryLayer.cs"), OneClass);
        return directory;
    }
}
