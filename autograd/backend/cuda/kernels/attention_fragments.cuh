// Pieces of attention on tensor cores (FlashAttention-2, Dao 2023): tiles of bfloat16 in shared memory, the
// fragments that a warp takes from them, dropout masks in the places of accumulators, and stores.
//
// A tile has rows of W elements, cut into chunks of 16 bytes. Chunks of a row change places by the row's
// number, so that the same chunk of 8 neighbouring rows lies in 8 different groups of banks: what ldmatrix
// and the copies want. g = lane / 4 and t = lane % 4 as in tensor_core.cuh.
#pragma once

#include "autograd/backend/cuda/kernels/attention_pair.cuh"
#include "autograd/backend/cuda/kernels/tensor_core.cuh"

namespace sesame::cuda {

constexpr float kLog2E = 1.4426950408889634f, kLn2 = 0.6931471805599453f;

__device__ inline int lane_of_thread() { return static_cast<int>(threadIdx.x) % 32; }
__device__ inline int warp_of_thread() { return static_cast<int>(threadIdx.x) / 32; }
__device__ inline int smaller(int a, int b) { return a < b ? a : b; }
// How many groups of 16 the first `count` of at most `most` rows make.
__device__ inline int groups_of_16(int count, int most) {
  return count <= 0 ? 0 : smaller((count + 15) / 16, most / 16);
}

// A block's unit of work: blocks of one head of one segment are neighbours, since they read the same keys.
struct AttentionUnit {
  int segment, head, tile;
};
__device__ inline AttentionUnit attention_unit(const AttentionArgs& args, int tiles) {
  const int unit = static_cast<int>(blockIdx.x) / tiles, heads = static_cast<int>(args.heads);
  return {unit / heads, unit % heads, static_cast<int>(blockIdx.x) % tiles};
}

// --- tiles ---------------------------------------------------------------------------------------

template <int W>
__device__ int tile_offset(int row, int chunk) {
  const int turn = W >= 64 ? row % 8 : row / 2 % 4;
  return row * W + (chunk ^ turn) * 8;
}

// Rows of one side and head in global memory.
struct HeadRows {
  const BFloat16* data;
  std::int64_t stride;
  int count, width;
};

// Begins to load rows [begin, begin + Rows) into a tile, zeros behind the last column and, up to a multiple
// of 16, the last row; what lies behind is not touched. Rows that are not aligned to 16 bytes are copied
// element by element, at once.
template <int W, int Rows, int Threads>
__device__ void load_rows(BFloat16* tile, const HeadRows& rows, int begin, bool aligned) {
  constexpr int kChunks = W / 8;
  const int chunks = 16 * groups_of_16(rows.count - begin, Rows) * kChunks;
  for (int i = static_cast<int>(threadIdx.x); i < chunks; i += Threads) {
    const int row = i / kChunks, column = i % kChunks * 8;
    const bool inside = begin + row < rows.count && column < rows.width;
    const BFloat16* from = inside ? rows.data + (begin + row) * rows.stride + column : rows.data;
    BFloat16* to = tile + tile_offset<W>(row, i % kChunks);
    if (aligned) {
      cp_async16(to, from, inside);
    } else {
      for (int c = 0; c < 8; ++c) {
        to[c] = inside && column + c < rows.width ? from[c] : __float2bfloat16_rn(0.0f);
      }
    }
  }
}

// A[i, j] = tile[row + i][8 chunk + j].
template <int W>
__device__ FragmentA load_a(const BFloat16* tile, int row, int chunk) {
  const int lane = lane_of_thread();
  FragmentA a;
  ldmatrix_x4(a.x, tile + tile_offset<W>(row + lane % 16, chunk + lane / 16));
  return a;
}
// A[i, j] = tile[row + j][8 chunk + i].
template <int W>
__device__ FragmentA load_a_transposed(const BFloat16* tile, int row, int chunk) {
  const int lane = lane_of_thread();
  FragmentA a;
  ldmatrix_x4_trans(a.x, tile + tile_offset<W>(row + lane / 16 * 8 + lane % 8, chunk + lane / 8 % 2));
  return a;
}

// Two right sides next to each other, 16 columns.
struct FragmentBPair {
  FragmentB b[2];
};
// B[i, j] = tile[row + j][8 chunk + i].
template <int W>
__device__ FragmentBPair load_b_transposed(const BFloat16* tile, int row, int chunk) {
  const int lane = lane_of_thread();
  std::uint32_t x[4];
  ldmatrix_x4(x, tile + tile_offset<W>(row + lane / 16 * 8 + lane % 8, chunk + lane / 8 % 2));
  return {{{{x[0], x[1]}}, {{x[2], x[3]}}}};
}
// B[i, j] = tile[row + i][8 chunk + j].
template <int W>
__device__ FragmentBPair load_b(const BFloat16* tile, int row, int chunk) {
  const int lane = lane_of_thread();
  std::uint32_t x[4];
  ldmatrix_x4_trans(x, tile + tile_offset<W>(row + lane % 16, chunk + lane / 16));
  return {{{{x[0], x[1]}}, {{x[2], x[3]}}}};
}

__device__ inline void mma_pair(FragmentC& left, FragmentC& right, const FragmentA& a,
                                const FragmentBPair& pair) {
  mma_m16n8k16(left, a, pair.b[0]);
  mma_m16n8k16(right, a, pair.b[1]);
}

// Two neighbouring results become a left side, rounded to bfloat16.
__device__ inline FragmentA as_left_side(const FragmentC& left, const FragmentC& right) {
  return {{pack_bfloat16(left.x[0], left.x[1]), pack_bfloat16(left.x[2], left.x[3]),
           pack_bfloat16(right.x[0], right.x[1]), pack_bfloat16(right.x[2], right.x[3])}};
}

// Stores columns [column, column + 2) of a row of `width` columns.
__device__ inline void store_two(BFloat16* row, int column, int width, float low, float high, bool aligned) {
  if (column >= width) return;
  if (aligned) {  // then the width is even
    *reinterpret_cast<std::uint32_t*>(row + column) = pack_bfloat16(low, high);
    return;
  }
  row[column] = from_float<BFloat16>(low);
  if (column + 1 < width) row[column + 1] = from_float<BFloat16>(high);
}

// Stores row g (half 0) or g + 8 (half 1) of 8 N columns from `column` on, times `factor`.
template <int N>
__device__ void store_row(BFloat16* row, const FragmentC (&x)[N], int half, int column, int width,
                          float factor, bool aligned) {
  const int t = lane_of_thread() % 4;
#pragma unroll
  for (int n = 0; n < N; ++n) {
    store_two(row, column + 8 * n + 2 * t, width, x[n].x[2 * half] * factor, x[n].x[2 * half + 1] * factor,
              aligned);
  }
}

// --- dropout -------------------------------------------------------------------------------------

// Bit j: the draw of key j of the block keeps it.
__device__ inline std::uint32_t kept_bits(const Words& words, std::uint32_t threshold16) {
  const std::uint32_t threshold = threshold16 << 16;  // a high half keeps if the whole word does
  std::uint32_t bits = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    bits |= static_cast<std::uint32_t>(words.w[i] << 16 >= threshold) << (2 * i);
    bits |= static_cast<std::uint32_t>(words.w[i] >= threshold) << (2 * i + 1);
  }
  return bits;
}

// Draws for a warp whose accumulators have 16 queries as rows and Tiles (4 or 8) tiles of 8 keys as columns.
// The lanes of a quad share two queries: lane t draws for tiles t and t + 4, and the others ask it.
template <int Tiles>
struct RowMask {
  std::uint32_t bits = 0;  // of query g + 8 half and tile t + 4 part: from bit 16 half + 8 part on

  // Only the first `tiles` are needed.
  __device__ void draw(const DropoutSpec& spec, const AttentionPair& pair, int head, int query, int key,
                       int tiles) {
    const int g = lane_of_thread() / 4, t = lane_of_thread() % 4;
    bits = 0;
#pragma unroll
    for (int part = 0; part < Tiles / 4; ++part) {
      if (4 * part >= tiles) break;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const Words words = attention_words(spec, pair, head, query + g + 8 * half, key / 8 + t + 4 * part);
        bits |= kept_bits(words, spec.threshold16) << (16 * half + 8 * part);
      }
    }
  }
  // Bits 16 half + e: whether accumulator 2 half + e of tile n is kept. All lanes ask together.
  __device__ std::uint32_t of_tile(int n) const {
    const int lane = lane_of_thread();
    const std::uint32_t tile = __shfl_sync(kAllLanes, bits, (lane & ~3) | n % 4);
    return tile >> (8 * (n / 4) + 2 * (lane % 4));
  }
};

// The same where 16 keys are the rows and 32 queries the columns: each lane draws for one query.
struct ColumnMask {
  std::uint32_t bits = 0;  // bit j: key j of query `lane`

  __device__ void draw(const DropoutSpec& spec, const AttentionPair& pair, int head, int query, int key) {
    const int i = query + lane_of_thread();
    bits = kept_bits(attention_words(spec, pair, head, i, key / 8), spec.threshold16) |
           kept_bits(attention_words(spec, pair, head, i, key / 8 + 1), spec.threshold16) << 8;
  }
  // Bits 8 half: whether accumulator 2 half + e of tile n is kept. All lanes ask together.
  __device__ std::uint32_t of_tile(int n, int e) const {
    const int lane = lane_of_thread();
    return __shfl_sync(kAllLanes, bits, 8 * n + 2 * (lane % 4) + e) >> (lane / 4);
  }
};

// --- on the host ---------------------------------------------------------------------------------

// Whether rows of heads can be copied 16 bytes at a time.
inline bool aligned_rows(const void* data, std::int64_t stride, std::int64_t head_dim) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && stride % 8 == 0 && head_dim % 8 == 0;
}

}  // namespace sesame::cuda
