namespace Examples;

// snippet: screens
public interface IScreens
{
    Task<string> VisitAsync(string appPackage, int step, CancellationToken cancellationToken);
}
// end snippet
