/* cuBLAS by plain loops: sums in the order of k, factors in single precision rounded where TF32 was asked for. Every matrix must lie in device memory, and a handle must have been given
 * a stream and a workspace, without which results may differ from run to run. */
#include <dlfcn.h>
#include <string.h>

#include "cublas_v2.h"
#include "shim.h"
#include "shim_impl.h"

struct shim_blas {
  bool stream, workspace, math, atomics, tf32;
};

static const char *last_error;

extern "C" void *shim_dlopen(const char *name, int)
{
  last_error = nullptr;
  if (shim_asked_to_fail("dlopen")) last_error = "cannot open shared object file: No such file or directory";
  return last_error || strncmp(name, "libcublas.so.", 13) != 0 ? nullptr : &last_error;
}

extern "C" char *shim_dlerror(void)
{
  return const_cast<char *>(last_error);
}

extern "C" void *shim_dlsym(void *, const char *name)
{
#define ANSWER(function)                                                                                     \
  if (strcmp(name, TEXT(function)) == 0) return (void *)&function
#define TEXT(function) TEXT_OF(function)
#define TEXT_OF(function) #function
  if (shim_asked_to_fail("dlsym")) return nullptr;
  ANSWER(cublasCreate);
  ANSWER(cublasDestroy);
  ANSWER(cublasSetStream);
  ANSWER(cublasSetWorkspace);
  ANSWER(cublasSetMathMode);
  ANSWER(cublasSetAtomicsMode);
  ANSWER(cublasGetStatusString);
  ANSWER(cublasSgemm);
  ANSWER(cublasDgemm);
  ANSWER(cublasSgemmStridedBatched);
  ANSWER(cublasDgemmStridedBatched);
  return nullptr;
}

static cublasStatus_t answer(const char *call, bool right)
{
  const int error = shim_asked_to_fail(call);
  shim_called(call);
  return error ? (cublasStatus_t)error : right ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasCreate(cublasHandle_t *handle)
{
  const cublasStatus_t rc = answer("cublasCreate", true);
  if (rc == CUBLAS_STATUS_SUCCESS) *handle = new shim_blas();
  return rc;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle)
{
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t)
{
  handle->stream = true;
  handle->workspace = false;
  return answer("cublasSetStream", true);
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void *workspace, size_t)
{
  handle->workspace = true;
  return answer("cublasSetWorkspace", shim_device_of(workspace) == shim_device());
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode)
{
  handle->math = mode == CUBLAS_DEFAULT_MATH || mode == CUBLAS_TF32_TENSOR_OP_MATH;
  handle->tf32 = mode == CUBLAS_TF32_TENSOR_OP_MATH;
  return answer("cublasSetMathMode", true);
}

cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t mode)
{
  handle->atomics = mode == CUBLAS_ATOMICS_NOT_ALLOWED;
  return answer("cublasSetAtomicsMode", true);
}

const char *cublasGetStatusString(cublasStatus_t status)
{
  return status == CUBLAS_STATUS_INVALID_VALUE  ? "the operation failed with invalid value"
         : status == CUBLAS_STATUS_ALLOC_FAILED ? "the resource allocation failed"
                                                : "some status";
}

/* As the tensor cores take it, and as it is. */
static float rounded(float x, bool tf32)
{
  return tf32 ? shim_tf32(x) : x;
}

static double rounded(double x, bool)
{
  return x;
}

template <typename real> struct product {
  cublasOperation_t op_a, op_b;
  int m, n, k, lda, ldb, ldc, count;
  long long a_step, b_step, c_step;
  real alpha, beta;
  const real *a, *b;
  real *c;
  bool tf32;

  /* Is a matrix of so many columns, each of `rows` numbers, all of it in device memory? */
  static bool inside(const real *from, int rows, int columns, int step, long long apart, int count)
  {
    const real *last = from + apart * (count - 1) + (long long)step * (columns - 1) + rows - 1;
    return rows <= step && shim_device_of(from) == shim_device() && shim_device_of(last) == shim_device();
  }

  bool right(const shim_blas *handle) const
  {
    const bool ta = op_a == CUBLAS_OP_T, tb = op_b == CUBLAS_OP_T;
    return handle->stream && handle->workspace && handle->math && handle->atomics && m > 0 && n > 0 &&
           k > 0 && count > 0 && inside(a, ta ? k : m, ta ? m : k, lda, a_step, count) &&
           inside(b, tb ? n : k, tb ? k : n, ldb, b_step, count) && inside(c, m, n, ldc, c_step, count);
  }

  void one(const real *x, const real *y, real *z) const
  {
    for (int j = 0; j < n; j++) {
      real *column = z + (long long)j * ldc;
      for (int i = 0; i < m; i++) column[i] = beta == 0 ? 0 : beta * column[i];
      for (int l = 0; l < k; l++) {
        const real w =
            alpha *
            rounded(op_b == CUBLAS_OP_T ? y[(long long)l * ldb + j] : y[(long long)j * ldb + l], tf32);
        if (op_a == CUBLAS_OP_T)
          for (int i = 0; i < m; i++) column[i] += rounded(x[(long long)i * lda + l], tf32) * w;
        else
          for (int i = 0; i < m; i++) column[i] += rounded(x[(long long)l * lda + i], tf32) * w;
      }
    }
  }

  void operator()() const
  {
    for (int t = 0; t < count; t++) one(a + t * a_step, b + t * b_step, c + t * c_step);
  }
};

template <typename real>
static cublasStatus_t multiply(const char *call, cublasHandle_t handle, const product<real> &p)
{
  const cublasStatus_t rc = answer(call, p.right(handle));
  if (rc == CUBLAS_STATUS_SUCCESS)
    shim_run([p]() {
      shim_stream_catch_up();
      p();
    });
  return rc;
}

cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m,
                           int n, int k, const float *alpha, const float *a, int lda, const float *b, int ldb,
                           const float *beta, float *c, int ldc)
{
  return multiply<float>(
      "cublasSgemm", handle,
      {op_a, op_b, m, n, k, lda, ldb, ldc, 1, 0, 0, 0, *alpha, *beta, a, b, c, handle->tf32});
}

cublasStatus_t cublasDgemm(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m,
                           int n, int k, const double *alpha, const double *a, int lda, const double *b,
                           int ldb, const double *beta, double *c, int ldc)
{
  return multiply<double>(
      "cublasDgemm", handle,
      {op_a, op_b, m, n, k, lda, ldb, ldc, 1, 0, 0, 0, *alpha, *beta, a, b, c, handle->tf32});
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t op_a,
                                         cublasOperation_t op_b, int m, int n, int k, const float *alpha,
                                         const float *a, int lda, long long a_step, const float *b, int ldb,
                                         long long b_step, const float *beta, float *c, int ldc,
                                         long long c_step, int count)
{
  return multiply<float>("cublasSgemmStridedBatched", handle,
                         {op_a, op_b, m, n, k, lda, ldb, ldc, count, a_step, b_step, c_step, *alpha, *beta, a,
                          b, c, handle->tf32});
}

cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t handle, cublasOperation_t op_a,
                                         cublasOperation_t op_b, int m, int n, int k, const double *alpha,
                                         const double *a, int lda, long long a_step, const double *b, int ldb,
                                         long long b_step, const double *beta, double *c, int ldc,
                                         long long c_step, int count)
{
  return multiply<double>("cublasDgemmStridedBatched", handle,
                          {op_a, op_b, m, n, k, lda, ldb, ldc, count, a_step, b_step, c_step, *alpha, *beta,
                           a, b, c, handle->tf32});
}
