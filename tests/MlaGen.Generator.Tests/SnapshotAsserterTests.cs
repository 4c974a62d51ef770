using MlaGen.Generator.Tests.Infrastructure;
using MlaGen.Tests.Files;
using Xunit.Sdk;

namespace MlaGen.Generator.Tests;

public sealed class SnapshotAsserterTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Accepted_text_is_found_again()
    {
        Verify(accept: true, ("Models.A.g.cs", "class A\n"));
        Verify(accept: false, ("Models.A.g.cs", "class A\n"));

        Assert.Equal(["Tests.Method#Models.A.g.verified.cs"], Files());
        Assert.Equal("//HintName: Models.A.g.cs\nclass A\n", File.ReadAllText(_directory.At("Tests.Method#Models.A.g.verified.cs")));
    }

    [Fact]
    public void Changed_text_is_written_beside_and_told()
    {
        Verify(accept: true, ("A.g.cs", "one\ntwo\n"));
        FailException failure = Assert.Throws<FailException>(() => Verify(accept: false, ("A.g.cs", "one\nthree\n")));

        Assert.Contains("from line 3 on:\n- two", failure.Message, StringComparison.Ordinal);
        Assert.Contains("+ three", failure.Message, StringComparison.Ordinal);
        Assert.Equal(["Tests.Method#A.g.received.cs", "Tests.Method#A.g.verified.cs"], Files());

        Verify(accept: false, ("A.g.cs", "one\ntwo\n"));
        Assert.Equal(["Tests.Method#A.g.verified.cs"], Files());
    }

    [Fact]
    public void New_file_is_not_taken_for_granted()
        => Assert.Contains("does not exist", Assert.Throws<FailException>(() => Verify(accept: false, ("A.g.cs", "one"))).Message, StringComparison.Ordinal);

    [Fact]
    public void Snapshot_that_is_no_longer_emitted_fails_until_accepted()
    {
        Verify(accept: true, ("A.g.cs", "one"), ("B.g.cs", "two"));
        Assert.Contains("no longer emitted", Assert.Throws<FailException>(() => Verify(accept: false, ("A.g.cs", "one"))).Message, StringComparison.Ordinal);

        Verify(accept: true, ("A.g.cs", "one"));
        Assert.Equal(["Tests.Method#A.g.verified.cs"], Files());
    }

    private void Verify(bool accept, params (string HintName, string Text)[] emitted) => Snapshot.Verify(_directory.Path, "Tests.Method", emitted, accept);

    private IEnumerable<string?> Files() => Directory.EnumerateFiles(_directory.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal);
}
