namespace CrawlData.Tests.Faults.Checker;

/// <summary>Thrown by the callbacks that an application gives to the library. No call of the library may pass it on.</summary>
internal sealed class CallbackException() : Exception("A callback of the application throws.");
