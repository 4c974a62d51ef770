using MlaGen.Package.Tests.Infrastructure;

namespace MlaGen.Package.Tests;

/// <summary>The package of whole models, consumed.</summary>
[Collection(PackageTestGroup.Name)]
[Trait("Category", "Package")]
public sealed class ModelsPackageTests(PackageFeed feed)
{
    [Fact]
    public void A_project_with_this_package_alone_generates_attention_and_runs_a_model()
    {
        string directory = feed.CreateProject(
            "models",
            "<OutputType>Exe</OutputType><TreatWarningsAsErrors>true</TreatWarningsAsErrors>",
            $"""<MlaModelConfig Include="{PackageFeed.StoryModel}/config.json" Name="story" />""",
            package: "MlaGen.Models");
        File.WriteAllText(
            Path.Combine(directory, "Program.cs"),
            """
            using MlaGen;
            using MlaGen.Models;

            LanguageModel model = LanguageModel.Load(args[0], [AttentionClass.Of<StoryAttention>()], new ModelOptions { Weights = WeightFormat.Int8Group32 });
            using TextGenerator generator = new(model);
            int tokens = 0;
            await foreach (GeneratedToken token in generator.GenerateAsync(new[] { model.Config.EndTokens[0] }, new GenerationOptions { MaxTokens = 5, StopTokens = [] }))
            {
                tokens++;
            }

            Console.WriteLine($"{tokens} tokens of {model.Config.VocabularySize}");

            [MlaAttention("story")]
            public sealed partial class StoryAttention;
            """);

        Dotnet.Run(directory, "build", "-c", "Release", "-o", "out").Succeeds();

        Assert.Equal("5 tokens of 495", Dotnet.Run(directory, "out/models.dll", PackageFeed.StoryModel).Succeeds().Lines[^1]);
    }
}
