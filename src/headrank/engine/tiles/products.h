/* Products of small matrices in vector registers, and powers of two. */

#define TILE 64
#define GROUP 4
#define WIDEST 256
#define INLINE static inline __attribute__((always_inline))

typedef float vector __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int32_t integers __attribute__((vector_size(4 * LANES), aligned(4)));
typedef Py_ssize_t size;

INLINE vector load(const float *from) { return *(const vector *)from; }
INLINE void store(float *to, vector x) { *(vector *)to = x; }
INLINE size padded(size width) { return (width + 15) / 16 * 16; }
INLINE size tiles(size tokens) { return (tokens + TILE - 1) / TILE; }
INLINE size least(size a, size b) { return a < b ? a : b; }

/* Where either is NaN, larger(x, y) is x: a NaN in x is kept. */
#if LANES == 16
INLINE vector all(float x) { return (vector)_mm512_set1_ps(x); }
INLINE vector larger(vector x, vector y) { return (vector)_mm512_max_ps((__m512)y, (__m512)x); }
INLINE float largest(vector x) { return _mm512_reduce_max_ps((__m512)x); }
INLINE float total(vector x) { return _mm512_reduce_add_ps((__m512)x); }
#else
INLINE vector all(float x) { return (vector)_mm256_set1_ps(x); }
INLINE vector larger(vector x, vector y) { return (vector)_mm256_max_ps((__m256)y, (__m256)x); }
INLINE float largest(vector x) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}
INLINE float total(vector x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
#endif

/* 2^x to a unit or two in the last place, exactly zero for x up to -127; for x below 128. */
INLINE vector power(vector x) {
    const vector magic = all(12582912.0f); /* 1.5 * 2^23: what is added to it is rounded to a whole number */
    x = larger(x, all(-127.0f));
    vector whole = (x + magic) - magic, f = x - whole, sum = all(1.5403530e-4f);
    sum = sum * f + 1.3333558e-3f;
    sum = sum * f + 9.6181291e-3f;
    sum = sum * f + 5.5504109e-2f;
    sum = sum * f + 2.4022651e-1f;
    sum = sum * f + 6.9314718e-1f;
    sum = sum * f + 1.0f;
    integers exponent = (__builtin_convertvector(whole, integers) + 127) << 23;
    return sum * (vector)exponent;
}

INLINE vector multiply_add(vector sum, const float *a, vector b, const int pairs) {
#ifdef PAIRS
    if (pairs) return (vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)all(*a), (__m512bh)b);
#endif
    return sum + *a * b;
}

/* GROUP rows of C = A B, or C += A B, for so many registers of its columns. */
INLINE void product(const float *a, size row, size step, const float *b, size pitch, size inner, float *c,
                    const int registers, const int add, const int pairs) {
    vector sum[GROUP][CHUNK];
    for (int i = 0; i < GROUP; i++)
        for (int j = 0; j < registers; j++) sum[i][j] = add ? load(c + i * pitch + j * LANES) : all(0);
    for (size k = 0; k < inner; k++, a += step, b += pitch)
        for (int j = 0; j < registers; j++) {
            vector right = load(b + j * LANES);
            for (int i = 0; i < GROUP; i++) sum[i][j] = multiply_add(sum[i][j], a + i * row, right, pairs);
        }
    for (int i = 0; i < GROUP; i++)
        for (int j = 0; j < registers; j++) store(c + i * pitch + j * LANES, sum[i][j]);
}

/* GROUP rows of C = A B, or C += A B: A has cell (i, k) at a[i * row + k * step], B and C have rows of pitch cells. As
   many columns as requested are computed, in whole registers. */
INLINE void multiply(const float *a, size row, size step, const float *b, size pitch, size inner, float *c,
                     size columns, const int add, const int pairs) {
    for (size j = 0, registers; j < columns; j += registers * LANES) {
        registers = least(CHUNK, (columns - j + LANES - 1) / LANES);
        switch (registers) {
            case 1: product(a, row, step, b + j, pitch, inner, c + j, 1, add, pairs); break;
            case 2: product(a, row, step, b + j, pitch, inner, c + j, 2, add, pairs); break;
#if CHUNK == 4
            case 3: product(a, row, step, b + j, pitch, inner, c + j, 3, add, pairs); break;
            case 4: product(a, row, step, b + j, pitch, inner, c + j, 4, add, pairs); break;
#endif
        }
    }
}
