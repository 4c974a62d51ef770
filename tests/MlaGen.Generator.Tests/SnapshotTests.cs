using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests;

/// <summary>The emitted text of three models, as a reviewer reads it.</summary>
public class SnapshotTests
{
    [Fact]
    public void Story_model() => Snapshot.Verify(Compilations.Generate(Compilations.Create(Shapes.Source("StoryAttention", Shapes.Story))));

    [Fact]
    public void DeepSeek_V3() => Snapshot.Verify(Compilations.Generate(Compilations.Create(Shapes.Source("DeepSeekV3Attention", Shapes.DeepSeekV3))));

    [Fact]
    public void MiniCPM3() => Snapshot.Verify(Compilations.Generate(Compilations.Create(Shapes.Source("MiniCpm3Attention", Shapes.MiniCpm3))));

    [Fact]
    public void GLM_4_7_Flash() => Snapshot.Verify(Compilations.Generate(Compilations.Create(Shapes.Source("Glm47FlashAttention", Shapes.Glm47Flash))));
}
