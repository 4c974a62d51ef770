using MlaGen.Package.Tests.Infrastructure;

namespace MlaGen.Package.Tests;

public class PackageFeedTests
{
    [Fact]
    public void Feed_that_cannot_be_filled_leaves_nothing_behind()
    {
        string root = string.Empty;

        Assert.Throws<InvalidOperationException>(() => new PackageFeed(feed =>
        {
            root = feed.Root;
            File.WriteAllText(Path.Combine(feed.Feed, "half.nupkg"), string.Empty);
            throw new InvalidOperationException();
        }));

        Assert.NotEmpty(root);
        Assert.False(Directory.Exists(root));
    }
}
