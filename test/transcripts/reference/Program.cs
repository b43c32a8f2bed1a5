// The host that the transcripts are recorded from: ASP.NET Core Identity's endpoints under /account and at the root, users in memory, and under
// /__reference what a recorder needs: the mails, and a clock to move. Needed only by record.ts.
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Identity.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;

var builder = WebApplication.CreateBuilder(args);
builder.Logging.ClearProviders();
var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
var outbox = new ConcurrentQueue<Letter>();

builder.Services.AddSingleton<TimeProvider>(clock);
builder.Services.AddSingleton<IEmailSender<IdentityUser>>(new Recorder(outbox));
builder.Services.AddDbContext<Accounts>(options => options.UseInMemoryDatabase("accounts"));
builder.Services.AddAuthorization();
builder.Services
    .AddIdentityApiEndpoints<IdentityUser>(options =>
        options.SignIn.RequireConfirmedEmail = args.Contains("requireConfirmedEmail"))
    .AddEntityFrameworkStores<Accounts>();

var app = builder.Build();
app.UseAuthentication();
app.UseAuthorization();
app.MapGroup("/account").MapIdentityApi<IdentityUser>();
app.MapIdentityApi<IdentityUser>();
app.MapGet("/__reference/mails", () => outbox.ToArray());
app.MapPost("/__reference/advance", (double seconds) => clock.Advance(TimeSpan.FromSeconds(seconds)));
app.MapGet("/__reference/now", () => clock.GetUtcNow().ToUnixTimeMilliseconds());
app.Lifetime.ApplicationStarted.Register(() => Console.WriteLine($"listening {app.Urls.First()}"));
app.Run();

sealed record Letter(string To, string Subject, string Html);

sealed class Accounts(DbContextOptions<Accounts> options) : IdentityDbContext<IdentityUser>(options);

/// Keeps what the framework's own sender would send, with the framework's texts.
sealed class Recorder(ConcurrentQueue<Letter> outbox) : IEmailSender<IdentityUser>
{
    public Task SendConfirmationLinkAsync(IdentityUser user, string email, string link) =>
        Keep(email, "Confirm your email", $"Please confirm your account by <a href='{link}'>clicking here</a>.");

    public Task SendPasswordResetLinkAsync(IdentityUser user, string email, string link) =>
        Keep(email, "Reset your password", $"Please reset your password by <a href='{link}'>clicking here</a>.");

    public Task SendPasswordResetCodeAsync(IdentityUser user, string email, string code) =>
        Keep(email, "Reset your password", $"Please reset your password using the following code: {code}");

    private Task Keep(string to, string subject, string html)
    {
        outbox.Enqueue(new(to, subject, html));
        return Task.CompletedTask;
    }
}
