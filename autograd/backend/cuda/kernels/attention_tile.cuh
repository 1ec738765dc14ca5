// What the simple forward and backward kernels of packed attention share. The unit of work is a pair of
// (query segment, key segment) and a head, cut into tiles of B queries or keys of W columns (the head width,
// rounded up with zeros). A block has 4 B threads: four neighbouring lanes, a quad, share a row of the tile,
// each with B / 4 neighbouring keys of it, or with every fourth column. Scores live in shared memory one tile
// at a time (the idea of FlashAttention, Dao et al. 2022).
#pragma once

#include "autograd/backend/cuda/kernels/attention_pair.cuh"

namespace sesame::cuda {

// Rows [begin, begin + B) of a head, zeros behind its last row and column. One column more than needed keeps
// the rows of a tile on different banks.
template <int W, int B, class T>
__device__ void load_tile(float (&tile)[B][W + 1], const T* rows, std::int64_t stride, int begin, int count,
                          int width) {
  for (int i = static_cast<int>(threadIdx.x); i < B * W; i += 4 * B) {
    const int row = i / W, column = i % W;
    const bool inside = begin + row < count && column < width;
    tile[row][column] = inside ? to_float(rows[std::int64_t{begin + row} * stride + column]) : 0.0f;
  }
}

// Dropout factors of Keys neighbouring keys, 4 or 8, the first one a multiple of Keys, for query i.
template <int Keys>
__device__ void attention_dropout(const DropoutSpec& spec, const AttentionPair& pair, int head, int i,
                                  int first_key, float (&factors)[Keys]) {
  static_assert(Keys == 4 || Keys == 8);
  const Words words = attention_words(spec, pair, head, i, first_key / 8);
#pragma unroll
  for (int j = 0; j < Keys; ++j) {
    const std::uint32_t word = first_key % 8 == 0 ? words.w[j / 2] : words.w[(j + 4) % 8 / 2];
    const std::uint32_t draw = j % 2 == 0 ? word & 0xFFFFu : word >> 16;
    factors[j] = draw >= spec.threshold16 ? spec.scale16 : 0.0f;
  }
}

}  // namespace sesame::cuda
