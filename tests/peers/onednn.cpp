// The absorbed decode core on oneDNN in bfloat16: two products around a softmax and a conversion, which is what a user of PyTorch or TorchSharp gets.
// A library with three functions; Explorer's peers command loads it and times it in turn with the generated core, on the same data.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <unordered_map>
#include <vector>

#include <dnnl.hpp>
#include <omp.h>

namespace
{
    using dnnl::memory;
    using Type = memory::data_type;

    struct Core
    {
        dnnl::engine engine{dnnl::engine::kind::cpu, 0};
        dnnl::stream stream{engine};
        int threads;

        memory queries, rows, latents, scores, probabilities, output;
        dnnl::matmul score, weigh;
        dnnl::softmax_v2_forward softmax;

        Core(int heads, int depth, int latent, int context, float scale, int threads, const float* rowValues, const float* queryValues) : threads(threads)
        {
            omp_set_num_threads(threads);

            // Rows lie as a cache keeps them, one after the other: the first product takes them turned, the second their first columns. Queries carry the scale.
            memory::desc rowsDesc({context, depth}, Type::bf16, memory::dims{depth, 1});
            memory::desc queriesDesc({heads, depth}, Type::bf16, memory::dims{depth, 1});
            rows = Converted(rowsDesc, std::vector<float>(rowValues, rowValues + (size_t)context * depth));
            std::vector<float> scaled(queryValues, queryValues + (size_t)heads * depth);
            for (float& value : scaled)
            {
                value *= scale;
            }

            queries = Converted(queriesDesc, scaled);
            memory::desc turnedDesc({depth, context}, Type::bf16, memory::dims{1, depth});
            memory::desc latentsDesc({context, latent}, Type::bf16, memory::dims{depth, 1});
            memory::desc scoresDesc({heads, context}, Type::f32, memory::dims{context, 1});
            memory::desc probabilitiesDesc({heads, context}, Type::bf16, memory::dims{context, 1});
            memory::desc outputDesc({heads, latent}, Type::f32, memory::dims{latent, 1});
            latents = memory(latentsDesc, engine, rows.get_data_handle());
            scores = memory(scoresDesc, engine);
            probabilities = memory(probabilitiesDesc, engine);
            output = memory(outputDesc, engine);
            turned = memory(turnedDesc, engine, rows.get_data_handle());

            score = dnnl::matmul({{queriesDesc, turnedDesc, scoresDesc}, engine});
            softmax = dnnl::softmax_v2_forward({{dnnl::prop_kind::forward_inference, dnnl::algorithm::softmax_accurate, scoresDesc, probabilitiesDesc, 1}, engine});
            weigh = dnnl::matmul({{probabilitiesDesc, latentsDesc, outputDesc}, engine});
        }

        void Run()
        {
            omp_set_num_threads(threads);
            score.execute(stream, {{DNNL_ARG_SRC, queries}, {DNNL_ARG_WEIGHTS, turned}, {DNNL_ARG_DST, scores}});
            softmax.execute(stream, {{DNNL_ARG_SRC, scores}, {DNNL_ARG_DST, probabilities}});
            weigh.execute(stream, {{DNNL_ARG_SRC, probabilities}, {DNNL_ARG_WEIGHTS, latents}, {DNNL_ARG_DST, output}});
            stream.wait();
        }

    private:
        memory turned;

        memory Converted(const memory::desc& desc, std::vector<float> values)
        {
            memory::desc floatDesc(desc.dims(), Type::f32, memory::dims{desc.dims()[1], 1});
            memory floats(floatDesc, engine, values.data());
            memory converted(desc, engine);
            dnnl::reorder(floats, converted).execute(stream, floats, converted);
            stream.wait();
            return converted;
        }
    };
}

// Rows [context, depth], queries [heads, depth]; null where oneDNN refuses, and the reason on standard error.
extern "C" void* onednn_create(int heads, int depth, int latent, int context, float scale, int threads, const float* rows, const float* queries)
{
    try
    {
        return new Core(heads, depth, latent, context, scale, threads, rows, queries);
    }
    catch (const std::exception& problem)
    {
        std::fprintf(stderr, "oneDNN: %s\n", problem.what());
        return nullptr;
    }
}

// Takes [heads, latent]; 0 if it went well.
extern "C" int onednn_run(void* core, float* output, int count)
{
    try
    {
        Core& own = *static_cast<Core*>(core);
        own.Run();
        const float* values = static_cast<const float*>(own.output.get_data_handle());
        for (int i = 0; i < count; i++)
        {
            output[i] = values[i];
        }

        return 0;
    }
    catch (const std::exception& problem)
    {
        std::fprintf(stderr, "oneDNN: %s\n", problem.what());
        return 1;
    }
}

extern "C" void onednn_destroy(void* core)
{
    delete static_cast<Core*>(core);
}
