using Xunit.Abstractions;
using Xunit.Sdk;

namespace MlaGen.Tests.Processes;

/// <summary>What a child process does for a test: a test there, where a variable says so, and none in any other run.</summary>
/// <param name="variable">The environment variable that the child is started with.</param>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer("MlaGen.Tests.Processes.ChildFactDiscoverer", "MlaGen.Tests")]
public sealed class ChildFactAttribute(string variable) : FactAttribute
{
    public string Variable => variable;
}

/// <summary>Finds children's tests in children alone.</summary>
/// <param name="diagnosticMessageSink">Takes xunit's own messages.</param>
public sealed class ChildFactDiscoverer(IMessageSink diagnosticMessageSink) : FactDiscoverer(diagnosticMessageSink)
{
    public override IEnumerable<IXunitTestCase> Discover(ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod, IAttributeInfo factAttribute)
        => Environment.GetEnvironmentVariable(factAttribute.GetNamedArgument<string>(nameof(ChildFactAttribute.Variable))) is null
            ? []
            : base.Discover(discoveryOptions, testMethod, factAttribute);
}
