// The login of a user by the client that Kiota generates: Story <origin>. Fails where an answer is another one.
using Identity;
using Identity.Models;
using Microsoft.Kiota.Abstractions;
using Microsoft.Kiota.Abstractions.Authentication;
using Microsoft.Kiota.Http.HttpClientLibrary;

var origin = args[0];
var email = $"{Guid.NewGuid():N}@example.com";
const string password = "Forecast-42";

var stranger = ClientWith(new AnonymousAuthenticationProvider());
await stranger.Account.Register.PostAsync(new RegisterRequest { Email = email, Password = password });
var twice = await Problem(() => stranger.Account.Register.PostAsync(new RegisterRequest { Email = email, Password = password }));
Expect(twice.Status == 400 && twice.Errors!.AdditionalData.ContainsKey("DuplicateUserName"), "the address is taken");
await Refused(() => stranger.Account.Manage.Info.GetAsync(), "info without a token");

var tokens = await stranger.Account.Login.PostAsync(new LoginRequest { Email = email, Password = password });
Expect(tokens is { ExpiresIn: > 0, AccessToken.Length: > 0 }, "login answers tokens");
var user = ClientWith(Bearer(tokens!));
Expect((await user.Account.Manage.Info.GetAsync())!.Email == email, "info answers the address");
Expect((await user.Weatherforecast.GetAsync())!.Count == 5, "the guarded route of the host answers");

var renewed = await stranger.Account.Refresh.PostAsync(new RefreshRequest { RefreshToken = tokens!.RefreshToken });
var later = ClientWith(Bearer(renewed!));
Expect((await later.Account.Manage.Info.GetAsync())!.Email == email, "info answers the renewed token");

await later.Account.Logout.PostAsync();
await Refused(() => later.Account.Manage.Info.GetAsync(), "info after the logout");

IdentityClient ClientWith(IAuthenticationProvider provider) =>
    new(new HttpClientRequestAdapter(provider) { BaseUrl = origin });

static IAuthenticationProvider Bearer(AccessTokenResponse tokens) =>
    new BaseBearerTokenAuthenticationProvider(new FixedToken(tokens.AccessToken!));

static async Task<HttpValidationProblemDetails> Problem(Func<Task> call)
{
    try { await call(); }
    catch (HttpValidationProblemDetails problem) { return problem; }
    throw new Exception("the request should be refused with a problem");
}

static async Task Refused(Func<Task> call, string what)
{
    try { await call(); }
    catch (ApiException refusal) when (refusal.ResponseStatusCode == 401) { return; }
    throw new Exception($"{what}: 401 expected");
}

static void Expect(bool isTrue, string what)
{
    if (!isTrue) throw new Exception($"expected: {what}");
}

sealed class FixedToken(string token) : IAccessTokenProvider
{
    public AllowedHostsValidator AllowedHostsValidator { get; } = new();

    public Task<string> GetAuthorizationTokenAsync(
        Uri uri, Dictionary<string, object>? context = null, CancellationToken cancellation = default) =>
        Task.FromResult(token);
}
