using System.Reflection;
using MlaGen.Generator.Model;
using MlaGen.Generator.Parsing;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests;

/// <summary>The attribute users see and the settings the generator reads are two lists of the same things.</summary>
public class SettingsContractTests
{
    private static readonly TargetClass _target = new("Models", EquatableArray<string>.Empty, "Attention", "public");

    private static readonly PropertyInfo[] _attributeProperties =
        [.. typeof(MlaAttentionAttribute).GetProperties(BindingFlags.Instance | BindingFlags.Public | BindingFlags.DeclaredOnly).Where(static property => property.CanWrite)];

    [Fact]
    public void Settings_have_exactly_the_properties_of_the_attribute()
    {
        IEnumerable<string> expected = _attributeProperties.Select(static property => property.Name).Order();

        Assert.Equal(expected, SettingsProperties().Select(static property => property.Name).Order());
        Assert.Equal(expected, MlaSettings.Empty.All.Select(static setting => setting.Property).Order());
    }

    [Fact]
    public void Unwritten_settings_take_the_defaults_of_the_attribute()
    {
        MlaAttentionAttribute attribute = new();
        MlaSettings written = new();
        foreach (PropertyInfo property in SettingsProperties())
        {
            object? value = typeof(MlaAttentionAttribute).GetProperty(property.Name)!.GetValue(attribute);
            Type target = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            property.SetValue(written, value is null ? null : target.IsEnum ? Enum.ToObject(target, value) : value);
        }

        Assert.Equal(written.ToSpec(_target), MlaSettings.Empty.ToSpec(_target));
    }

    [Fact]
    public void Enumerations_mirror_those_of_the_runtime()
    {
        Assert.Equal(Members(typeof(MlaGen.RopeLayout)), Members(typeof(Model.RopeLayout)));
        Assert.Equal(Members(typeof(MlaGen.RopeScaling)), Members(typeof(Model.RopeScaling)));
        Assert.Equal(Members(typeof(MlaGen.OutputGate)), Members(typeof(Model.OutputGate)));
        Assert.Equal(Members(typeof(MlaGen.CacheFormat)), Members(typeof(Model.CacheFormat)));

        static IEnumerable<(string, int)> Members(Type type) => Enum.GetNames(type).Select(name => (name, (int)Enum.Parse(type, name)));
    }

    [Fact]
    public void Every_property_is_read_from_source_and_reaches_the_specification()
    {
        foreach (PropertyInfo property in _attributeProperties)
        {
            (string text, object expected) = Sample(property);
            MlaSettings settings = Parse($"{property.Name} = {text}");
            PropertyInfo read = typeof(MlaSettings).GetProperty(property.Name)!;

            Assert.Equal(expected, read.GetValue(settings));

            // DecodedWeights decides whether a configuration is accepted and has no part in what is emitted.
            Assert.Equal(property.Name == nameof(MlaSettings.DecodedWeights), MlaSettings.Empty.ToSpec(_target) == settings.ToSpec(_target));
            Assert.Equal((property.Name, expected), Assert.Single(settings.All, static setting => setting.Value is not null));
            Assert.True(settings.Has(property.Name));
            Assert.Equal(settings, settings.Over(MlaSettings.Empty));
            Assert.Equal(settings, MlaSettings.Empty.Over(settings));
        }
    }

    [Fact]
    public void Written_settings_win_over_those_they_complete()
    {
        MlaSettings merged = new MlaSettings { Heads = 4 }.Over(new MlaSettings { Heads = 8, HiddenSize = 256 });

        Assert.Equal(new MlaSettings { Heads = 4, HiddenSize = 256 }, merged);
    }

    private static (string Text, object Value) Sample(PropertyInfo property) => property.PropertyType switch
    {
        { } type when type == typeof(int) => ("7", 7),
        { } type when type == typeof(double) => ("1.5", 1.5),
        { } type when type == typeof(bool) => property.Name == "RopeTruncate" ? ("false", false) : ("true", true),
        { } type when type == typeof(string) => ("\"linear_gate\"", "linear_gate"),
        { } type when type == typeof(MlaGen.OutputGate) => ("OutputGate.HeadWise", Model.OutputGate.HeadWise),
        { } type when type == typeof(double[]) => ("new[] { 1, 2.5 }", new EquatableArray<double>([1, 2.5])),
        { } type when type == typeof(MlaGen.RopeLayout) => ("RopeLayout.HalfSplit", Model.RopeLayout.HalfSplit),
        { } type when type == typeof(MlaGen.RopeScaling) => ("RopeScaling.LongRope", Model.RopeScaling.LongRope),
        { } type when type == typeof(MlaGen.CacheFormat) => ("CacheFormat.Int8", Model.CacheFormat.Int8),
        { } type => throw new NotSupportedException($"{property.Name} has the type {type}, which has no sample yet."),
    };

    private static MlaSettings Parse(string arguments)
    {
        var compilation = Compilations.Create($"using MlaGen; namespace Models; [MlaAttention({arguments})] public sealed partial class Attention;");
        var type = compilation.GetTypeByMetadataName("Models.Attention")!;
        return AttributeParser.Parse(type, AttributeParser.Find(type)!, compilation)!.Settings;
    }

    private static IEnumerable<PropertyInfo> SettingsProperties()
        => typeof(MlaSettings).GetProperties(BindingFlags.Instance | BindingFlags.Public | BindingFlags.DeclaredOnly).Where(static property => property.CanWrite);
}
