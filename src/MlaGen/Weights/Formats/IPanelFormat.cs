namespace MlaGen.Runtime;

/// <summary>
/// How weights lie in a panel, and how a vector of them becomes floats. A panel holds the <see cref="PackedMatrix.PanelWidth"/> weights of each
/// depth, one depth after the other; in front of each group of <see cref="GroupDepth"/> depths stands what the group's weights share, such as a
/// scale for each output.
/// </summary>
/// <remarks>
/// A format says where things lie and what they mean, never how a product is cut: all products load weights through it, so a weight is the same
/// float in each of them. Its members are known when a product is compiled and become part of its loops; they must be inlined.
/// </remarks>
internal interface IPanelFormat
{
    /// <summary>Its name in files, which is another's where anything of a panel's bytes is another.</summary>
    static abstract string Name { get; }

    /// <summary>Type of the elements.</summary>
    static abstract TensorType Type { get; }

    /// <summary>Bytes of the weights of one depth.</summary>
    static abstract int DepthBytes { get; }

    /// <summary>Depths of a group, the last one of a panel perhaps fewer: a multiple of 4 that divides <see cref="ProjectionKernels.DepthBlock"/>, and at least <see cref="ProjectionKernels.LeastGroupDepth"/> with <see cref="ScalesSums"/>.</summary>
    static virtual int GroupDepth => ProjectionKernels.DepthBlock;

    /// <summary>Bytes in front of the weights of a group; none where they share nothing.</summary>
    static virtual int GroupBytes => 0;

    /// <summary>How it is asked for.</summary>
    static virtual WeightFormat Format => WeightFormat.Stored;

    /// <summary>
    /// Whether what the weights of a group share is a factor of their sum, not of each: products then multiply the sum of a group, and <see cref="Load"/>
    /// leaves it out. That saves a multiplication a weight where weights are so small that it would be felt.
    /// </summary>
    static virtual bool ScalesSums => false;

    /// <summary>Bytes of a row as <see cref="Pack"/> takes it.</summary>
    static abstract int RowBytes(int columns);

    /// <summary>Packs rows into a panel.</summary>
    /// <param name="rows"><see cref="PackedMatrix.PanelWidth"/> rows, one after the other.</param>
    /// <param name="columns">Elements of a row: the panel's depth.</param>
    /// <param name="panel">Takes the panel.</param>
    static abstract void Pack(ReadOnlySpan<byte> rows, int columns, Span<byte> panel);

    /// <summary>Loads what the weights of a group share, for the outputs that lie in a vector.</summary>
    /// <param name="group">Where the group begins.</param>
    /// <param name="lane">Output of the panel that is the vector's first.</param>
    /// <typeparam name="V">Vector of the tier.</typeparam>
    static virtual V LoadScales<V>(ref readonly byte group, int lane)
        where V : struct, ILanes<V> => V.Zero;

    /// <summary>Loads the weights of one depth, for the outputs that lie in a vector.</summary>
    /// <param name="weights">Where the weights of the depth begin.</param>
    /// <param name="lane">Output of the panel that is the vector's first.</param>
    /// <param name="scales">What <see cref="LoadScales"/> gave for the depth's group and the same lane.</param>
    /// <typeparam name="V">Vector of the tier.</typeparam>
    static abstract V Load<V>(ref readonly byte weights, int lane, V scales)
        where V : struct, ILanes<V>;
}
