namespace Chat.Serving.Wire;

/// <summary>Body of an answer that is an error.</summary>
internal sealed record ErrorResponse(ErrorBody Error)
{
    public static ErrorResponse Of(ApiException problem) => new(new ErrorBody(problem.Message, problem.Type, problem.Parameter, problem.Code));
}

internal sealed record ErrorBody(string Message, string Type, string? Param, string? Code);
