using System.Net;
using System.Text.Json;
using Chat.Engine;
using Chat.Serving.Wire;
using Microsoft.AspNetCore.HostFiltering;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Options;
using OpenTelemetry.Metrics;

namespace Chat.Serving;

/// <summary>An engine behind OpenAI's interface.</summary>
internal static class ChatServer
{
    /// <summary>Puts the server together; it listens once it is started.</summary>
    /// <param name="engine">What generates. It stays the caller's.</param>
    /// <param name="options">Where it listens, and limits.</param>
    public static WebApplication Create(LoadedEngine engine, ServeOptions options)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        ConfigureListening(builder, options);
        ConfigureTelling(builder);

        // An instance, which services do not dispose of.
        builder.Services.AddSingleton(engine);
        builder.Services.AddSingleton(Options.Create(options));
        builder.Services.AddSingleton<Admission>();
        builder.Services.AddSingleton<ServerMetrics>();
        builder.Services.AddSingleton<CompletionEndpoints>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.Drain);

        WebApplication app = builder.Build();
        app.UseMiddleware<ErrorMiddleware>();
        app.UseHostFiltering();
        app.UseRouting();
        app.UseMiddleware<ApiKeyMiddleware>();
        Map(app);
        return app;
    }

    /// <summary>The address at which a server that was started is reached.</summary>
    public static Uri AddressOf(WebApplication app) => new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    private static void ConfigureListening(WebApplicationBuilder builder, ServeOptions options)
    {
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(options.Address, options.Port);
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.MaxBodyBytes;
            kestrel.Limits.MaxConcurrentConnections = options.MaxConnections;
            kestrel.Limits.RequestHeadersTimeout = options.HeadTimeout;
        });

        // A page elsewhere whose name is made to lead to this machine reaches the port, but says its own name.
        builder.Services.Configure<HostFilteringOptions>(filter =>
            filter.AllowedHosts = IPAddress.IsLoopback(options.Address) ? ["localhost", "127.0.0.1", "[::1]", options.Address.ToString()] : ["*"]);
    }

    private static void ConfigureTelling(WebApplicationBuilder builder)
    {
        builder.Logging.ClearProviders();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Logging.AddSimpleConsole(static console => console.SingleLine = true);
        builder.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(static console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.Services.AddOpenTelemetry().WithMetrics(static metrics => metrics
            .AddMeter(ServerMetrics.MeterName, "MlaGen", "System.Runtime", "Microsoft.AspNetCore.Server.Kestrel", "Microsoft.AspNetCore.Hosting")
            .AddPrometheusExporter());
    }

    private static void Map(WebApplication app)
    {
        PageEndpoints.Map(app);
        app.MapPrometheusScrapingEndpoint();
        RouteGroupBuilder api = app.MapGroup("/v1");
        CompletionEndpoints completions = app.Services.GetRequiredService<CompletionEndpoints>();
        ModelEntry entry = new(app.Services.GetRequiredService<LoadedEngine>().Model, "model", DateTimeOffset.UtcNow.ToUnixTimeSeconds(), "mlagen");
        api.MapPost("/chat/completions", (HttpContext http) => completions.ChatAsync(http));
        api.MapPost("/completions", (HttpContext http) => completions.CompleteAsync(http));
        api.MapGet("/models", (HttpContext http) => WriteAsync(http, JsonSerializer.Serialize(new ModelList("list", [entry]), WireJson.Default.ModelList)));
        api.MapGet("/models/{**id}", (HttpContext http) => http.Request.RouteValues["id"] is string id && id == entry.Id
            ? WriteAsync(http, JsonSerializer.Serialize(entry, WireJson.Default.ModelEntry))
            : throw ApiException.UnknownModel($"{http.Request.RouteValues["id"]}"));
    }

    private static Task WriteAsync(HttpContext http, string json)
    {
        http.Response.ContentType = "application/json";
        return http.Response.WriteAsync(json, http.RequestAborted);
    }
}
