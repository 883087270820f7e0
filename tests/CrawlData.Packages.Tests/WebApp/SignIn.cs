using System.Security.Claims;

/// <summary>Signs a test's user in, without a password.</summary>
internal static class SignIn
{
    public static void Map(WebApplication app) =>
        app.MapPost(
            "/sign-in/{name}",
            (string name) => TypedResults.SignIn(new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, name)], "Cookies"))));
}
