using System.Text;

namespace MlaGen.Models;

/// <summary>Operators, as Python has them for the values of templates.</summary>
internal static class TemplateArithmetic
{
    public static bool Holds(string @operator, object? left, object? right, TemplateRun run) => @operator switch
    {
        "==" => TemplateValue.AreEqual(left, right, run),
        "!=" => !TemplateValue.AreEqual(left, right, run),
        "<" => TemplateValue.Compare(left, right, run) < 0,
        "<=" => TemplateValue.Compare(left, right, run) <= 0,
        ">" => TemplateValue.Compare(left, right, run) > 0,
        ">=" => TemplateValue.Compare(left, right, run) >= 0,
        "in" => TemplateValue.Contains(right, left, run),
        _ => !TemplateValue.Contains(right, left, run),
    };

    public static object? Compute(string @operator, object? left, object? right, TemplateRun run)
    {
        switch (@operator, left, right)
        {
            case ("~", _, _):
                return Join(TemplateValue.ToString(left, run), TemplateValue.ToString(right, run), run);
            case ("+", string text, string other):
                return Join(text, other, run);
            case ("+", TemplateList list, TemplateList other):
                run.Allocate((long)list.Items.Count + other.Items.Count);
                return new TemplateList([.. list.Items, .. other.Items], list.Kind);
            case ("*", string text, bool or long):
                return Repeat(text, TemplateValue.ToLong(right), run);
            case ("*", bool or long, string text):
                return Repeat(text, TemplateValue.ToLong(left), run);
            case ("*", TemplateList list, bool or long):
                long times = Times(list.Items.Count, TemplateValue.ToLong(right), run);
                return new TemplateList([.. Enumerable.Repeat(list.Items, (int)times).SelectMany(items => items)], list.Kind);
        }

        if (!TemplateValue.IsNumber(left) || !TemplateValue.IsNumber(right))
        {
            throw new TemplateError($"{TemplateValue.TypeOf(left)} {@operator} {TemplateValue.TypeOf(right)} is not supported");
        }

        try
        {
            return left is double || right is double || @operator == "/"
                ? Floats(@operator, TemplateValue.ToDouble(left), TemplateValue.ToDouble(right))
                : Integers(@operator, TemplateValue.ToLong(left), TemplateValue.ToLong(right), run);
        }
        catch (OverflowException)
        {
            throw new TemplateError("an integer is too large");
        }
    }

    private static string Join(string left, string right, TemplateRun run)
    {
        run.Allocate((long)left.Length + right.Length);
        return left + right;
    }

    private static string Repeat(string text, long times, TemplateRun run) =>
        new StringBuilder().Insert(0, text, (int)Times(text.Length, times, run)).ToString();

    /// <summary>How often something is repeated, once there is room for it.</summary>
    private static long Times(int length, long times, TemplateRun run)
    {
        long wanted = length == 0 ? 0 : Math.Max(times, 0);
        run.Allocate(wanted > TemplateRun.MostElements ? wanted : wanted * length);
        return wanted;
    }

    private static double Floats(string @operator, double left, double right) => @operator switch
    {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "**" => Math.Pow(left, right),
        _ when right == 0 => throw new TemplateError("division by zero"),
        "/" => left / right,
        "//" => Math.Floor(left / right),
        _ => left - (right * Math.Floor(left / right)),
    };

    private static object Integers(string @operator, long left, long right, TemplateRun run)
    {
        switch (@operator)
        {
            case "+":
                return checked(left + right);
            case "-":
                return checked(left - right);
            case "*":
                return checked(left * right);
            case "**":
                return right < 0 ? (object)Math.Pow(left, right) : Power(left, right, run);
            default:
                if (right == 0)
                {
                    throw new TemplateError("division by zero");
                }

                (long quotient, long remainder) = right == -1 ? (checked(-left), 0) : Math.DivRem(left, right);
                bool rounds = remainder != 0 && remainder < 0 != right < 0;
                return @operator == "//" ? quotient - (rounds ? 1 : 0) : remainder + (rounds ? right : 0);
        }
    }

    private static long Power(long value, long exponent, TemplateRun run)
    {
        long power = 1;
        for (; exponent > 0 && value is not (0 or 1); exponent--)
        {
            run.Step();
            power = checked(power * value);
        }

        return exponent > 0 ? value : power;
    }
}
