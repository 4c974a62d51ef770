using System.Text.Json.Nodes;
using MlaGen.Tests.Files;

namespace MlaGen.Models.Tests.Text;

/// <summary>Renderings against Jinja itself, set up as transformers sets it up (<c>Reference/templates.py</c>).</summary>
public class ChatTemplateTests
{
    private static readonly JsonArray _conversations = JsonNode.Parse(File.ReadAllText(TextData.PathOf("conversations.json")))!.AsArray();

    public static TheoryData<string, string> Templates => Names("templates");

    public static TheoryData<string, string> Expressions => Names("expressions");

    [Theory]
    [MemberData(nameof(Templates))]
    public void Templates_write_what_transformers_writes(string name, string source) => Check("templates", name, source);

    [Theory]
    [MemberData(nameof(Expressions))]
    public void Constructs_mean_what_they_mean_in_Jinja(string name, string source) => Check("expressions", name, source);

    [Fact]
    public void A_directory_s_template_file_comes_before_its_configuration()
    {
        using TemporaryDirectory directory = new();
        Assert.Null(ChatTemplate.Load(directory.Path));

        directory.Write("tokenizer_config.json", """{"bos_token": {"content": "<B>"}, "eos_token": "<E>", "chat_template": "config {{ bos_token }}{{ eos_token }}"}""");
        Assert.Equal("config <B><E>", ChatTemplate.Load(directory.Path)!.Render([]));

        directory.Write("chat_template.jinja", "file {{ bos_token }}\n");
        Assert.Equal("file <B>", ChatTemplate.Load(directory.Path)!.Render([]));
    }

    [Fact]
    public void Of_a_list_of_templates_the_one_for_tools_is_taken_where_there_are_tools()
    {
        using TemporaryDirectory directory = new();
        directory.Write("tokenizer_config.json", """{"chat_template": [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools"}]}""");
        ChatTemplate template = ChatTemplate.Load(directory.Path)!;

        Assert.Equal("plain", template.Render([]));
        Assert.Equal("tools", template.Render([], tools: []));
    }

    private static TheoryData<string, string> Names(string file)
    {
        TheoryData<string, string> names = [];
        foreach (JsonNode? template in JsonNode.Parse(File.ReadAllText(TextData.PathOf($"{file}.json")))!.AsArray())
        {
            names.Add((string)template!["name"]!, (string)template["source"]!);
        }

        return names;
    }

    private static void Check(string file, string name, string source)
    {
        JsonObject golden = JsonNode.Parse(File.ReadAllText(TextData.PathOf($"{file}.golden.json")))![name]!.AsObject();
        Assert.NotEmpty(golden);
        foreach ((string conversation, JsonNode? expected) in golden)
        {
            JsonNode given = _conversations.Single(candidate => (string)candidate!["name"]! == conversation)!;
            if (expected is null)
            {
                Assert.Throws<ChatTemplateException>(() => Render(source, given));
            }
            else
            {
                Assert.Equal((string)expected!, Render(source, given));
            }
        }
    }

    private static string Render(string source, JsonNode given) =>
        new ChatTemplateAt(source).Template.Render(given["messages"]!.AsArray(), (bool?)given["add_generation_prompt"] ?? true, given["tools"]?.AsArray(), given["variables"]?.AsObject());

    /// <summary>A template at the time of <c>Reference/templates.py</c>.</summary>
    private sealed class ChatTemplateAt(string source) : TimeProvider
    {
        public ChatTemplate Template => ChatTemplate.Parse(source, new Dictionary<string, string> { ["bos_token"] = "<bos>", ["eos_token"] = "<eos>" }, this);

        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(2026, 3, 7, 4, 5, 6, TimeSpan.Zero);
    }
}
