using System.Reflection;
using System.Text.Json;
using CrawlData.Crawls;

namespace CrawlData.Tests.Security;

/// <summary>A place where a caller hands a value to the library: a parameter of a public method or constructor, or a property that can be set.</summary>
internal sealed record Place
{
    private static readonly NullabilityInfoContext Nullability = new();

    public required Type Owner { get; init; }

    /// <summary>The method or constructor; null for a property.</summary>
    public MethodBase? Method { get; init; }

    public ParameterInfo? Parameter { get; init; }

    public PropertyInfo? Property { get; init; }

    public Type Type => Parameter?.ParameterType ?? Property!.PropertyType;

    public string Member => Parameter?.Name ?? Property!.Name;

    /// <summary>As an error names it.</summary>
    public string Field => JsonNamingPolicy.SnakeCaseLower.ConvertName(Member);

    public string Name => Method is null ? $"{Owner.Name}.{Member}" : $"{Owner.Name}.{(Method.IsConstructor ? "new" : Method.Name)}({Member})";

    public bool TakesNull
    {
        get
        {
            lock (Nullability)
            {
                return (Parameter is null ? Nullability.Create(Property!).WriteState : Nullability.Create(Parameter).WriteState) == NullabilityState.Nullable;
            }
        }
    }

    public override string ToString() => Name;

    /// <summary>Every place of the library's public types, found by reflection. Not those of types that the library only gives.</summary>
    public static IReadOnlyList<Place> All { get; } = FindAll();

    private static Place[] FindAll()
    {
        var types = typeof(CrawlRunRepository).Assembly.GetExportedTypes()
            .Where(type => !type.IsSubclassOf(typeof(Exception)) && !type.IsSubclassOf(typeof(Delegate))).ToArray();
        var parameters =
            from type in types
            from method in type.GetConstructors().Cast<MethodBase>().Concat(type.GetMethods(
                BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly).Where(IsOfTheLibrary))
            from parameter in method.GetParameters()
            select new Place { Owner = type, Method = method, Parameter = parameter };
        var all = parameters.ToList();
        var taken = new HashSet<Type>();
        foreach (var place in all)
        {
            AddTaken(place.Type, taken);
        }

        var properties =
            from type in types
            where taken.Contains(type) && type.IsClass
            from property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            where property.SetMethod is { IsPublic: true }
            select new Place { Owner = type, Property = property };
        return [.. all, .. properties];
    }

    // Not what the compiler writes for records and properties.
    private static bool IsOfTheLibrary(MethodInfo method) =>
        !method.IsSpecialName && method.Name is not ("Equals" or "GetHashCode" or "ToString" or "Deconstruct" or "<Clone>$");

    private static void AddTaken(Type type, HashSet<Type> taken)
    {
        // Told to the caller, and not taken from it.
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IProgress<>))
        {
            return;
        }

        foreach (var argument in type.GenericTypeArguments)
        {
            AddTaken(argument, taken);
        }

        if (type.Assembly == typeof(CrawlRunRepository).Assembly && taken.Add(type))
        {
            foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
            {
                AddTaken(property.PropertyType, taken);
            }
        }
    }
}
