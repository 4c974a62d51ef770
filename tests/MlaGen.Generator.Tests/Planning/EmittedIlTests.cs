using System.Reflection;
using System.Reflection.Emit;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;
using MlaGen.Generator.Tests.Infrastructure;
using Tier = MlaGen.Generator.Planning.SimdTier;

namespace MlaGen.Generator.Tests.Planning;

/// <summary>The plan's account of emitted methods against the IL that the compiler makes of them.</summary>
public class EmittedIlTests
{
    private const string OddShape = "HiddenSize = 64, Heads = 61, KvLoraRank = 77, QkNopeHeadDim = 15, QkRopeHeadDim = 6, VHeadDim = 23";

    private static readonly Dictionary<short, OpCode> _opCodes = typeof(OpCodes)
        .GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(static field => (OpCode)field.GetValue(null)!)
        .ToDictionary(static code => code.Value);

    [Theory]
    [InlineData(Shapes.DeepSeekV3, 128)]
    [InlineData(Shapes.Glm47Flash, 20)]
    [InlineData(Shapes.Story, 8)]
    [InlineData(OddShape, 61)]
    public void Every_emitted_method_is_planned_and_its_IL_is_what_was_estimated(string attribute, int heads)
    {
        KernelShape shape = heads switch
        {
            128 => PlannedShapes.DeepSeek(heads),
            20 => PlannedShapes.Glm47Flash,
            8 => PlannedShapes.Story,
            _ => new KernelShape(heads, KvLoraRank: 77, QkRopeHeadDim: 6, QkNopeHeadDim: 15, VHeadDim: 23),
        };
        Assembly assembly = Compile(attribute);

        foreach (Tier tier in Tier.All)
        {
            AssertPlanned(KernelPlanner.PlanDecode(tier, shape), shape, assembly);
            AssertPlanned(KernelPlanner.PlanPrefill(tier, shape), shape, assembly);
        }
    }

    private static void AssertPlanned(CorePlan core, KernelShape shape, Assembly assembly)
    {
        string kernel = (core.IsAbsorbed ? "Decode" : "Prefill") + core.Tier.Name;
        Dictionary<string, MethodInfo> emitted = assembly.GetType($"MlaGen.Emitted.{shape.Name}.{kernel}", throwOnError: true)!
            .GetMethods(BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
            .ToDictionary(static method => method.Name);
        Assert.Equal(emitted.Keys.Order(StringComparer.Ordinal), core.Methods.Select(static method => method.Name).Order(StringComparer.Ordinal));
        Assert.All(core.Methods, method =>
        {
            MethodBody body = emitted[method.Name].GetMethodBody()!;
            (int instructions, int multiplyAdds) = Count(body.GetILAsByteArray()!, emitted[method.Name].Module);

            // Never less than the real one, and little more: a limit that the estimate keeps is kept.
            Assert.True(instructions <= method.IlInstructions && method.IlInstructions <= (1.3 * instructions) + 20, $"{kernel}.{method.Name}: {instructions} IL instructions, {method.IlInstructions} were estimated.");
            Assert.Equal(method.MultiplyAdds, multiplyAdds);
            Assert.True(body.LocalVariables.Count <= method.Locals, $"{kernel}.{method.Name}: {body.LocalVariables.Count} locals, {method.Locals} were estimated.");
        });
    }

    /// <summary>Instructions of a method, and how many of them call for a multiply-add.</summary>
    private static (int Instructions, int MultiplyAdds) Count(byte[] il, Module module)
    {
        int instructions = 0;
        int multiplyAdds = 0;
        for (int i = 0; i < il.Length; instructions++)
        {
            short value = il[i++];
            if (value == 0xFE)
            {
                value = unchecked((short)(0xFE00 | il[i++]));
            }

            OpCode code = _opCodes[value];
            if (code == OpCodes.Call && module.ResolveMethod(BitConverter.ToInt32(il, i))!.Name == "MultiplyAddEstimate")
            {
                multiplyAdds++;
            }

            i += code.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 * (1 + BitConverter.ToInt32(il, i)),
                _ => 4,
            };
        }

        return (instructions, multiplyAdds);
    }

    private static Assembly Compile(string attribute)
    {
        CSharpCompilation compilation = Compilations.Create(Shapes.Source("Model", attribute));
        using MemoryStream assembly = new();
        var result = compilation.With(Compilations.Generate(compilation)).WithOptions(Compilations.Options.WithOptimizationLevel(OptimizationLevel.Release)).Emit(assembly);
        Assert.True(result.Success, string.Join('\n', result.Diagnostics));
        return Assembly.Load(assembly.ToArray());
    }
}
