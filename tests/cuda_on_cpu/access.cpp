/* The access checker. Kernel files compiled with -fsanitize=thread call __tsan_read4 and the like before every access
 * to memory; no sanitizer is linked, the calls end here. A word that two threads of a block touch between the
 * same two barriers, or two blocks of a launch, one of them writing, ends the program with the kernel and the
 * threads. Shared memory is one block's at a time, so between blocks only device memory counts. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <vector>

#include "cuda_runtime.h"
#include "shim_impl.h"

enum { NOBODY = 0xffff, SEVERAL = 0xfffe, WORD = 4 };

struct access_cell {
  uintptr_t word;
  uint64_t interval;       /* between two barriers, counted over all blocks; of writer and reader */
  uint32_t launch;         /* another one: the cell is free */
  uint32_t block;          /* the last that touched it */
  uint16_t writer, reader; /* threads */
  bool written;            /* in this launch */
};

struct watch {
  std::vector<access_cell> cells = std::vector<access_cell>(1 << 16);
  size_t used = 0;
  uint64_t interval = 0;
  uint32_t launch = 0;
  bool on = false;
  const char *kernel = "";
};
static thread_local watch here;

void shim_watch_launch(const char *kernel)
{
  here.kernel = kernel;
  here.launch++;
  here.used = 0;
  here.on = kernel != nullptr;
}

void shim_watch_interval(void)
{
  here.interval++;
}

[[noreturn]] static void conflict(const char *what, uintptr_t word, unsigned other)
{
  fprintf(stderr, "cuda_on_cpu: kernel %s, block %u, thread %u: %s %u touched the same word (%p)\n",
          here.kernel, blockIdx.x, threadIdx.x, what, other, (void *)(word * WORD));
  abort();
}

static access_cell &cell_of(uintptr_t word)
{
  const size_t mask = here.cells.size() - 1;
  size_t at = (size_t)((uint64_t)word * 0x9e3779b97f4a7c15u >> 20) & mask;
  while (here.cells[at].launch == here.launch && here.cells[at].word != word) at = (at + 1) & mask;
  return here.cells[at];
}

static void grow(void)
{
  std::vector<access_cell> old(here.cells.size() * 2);
  old.swap(here.cells);
  for (const access_cell &cell : old)
    if (cell.launch == here.launch) cell_of(cell.word) = cell;
}

static void touch(uintptr_t word, bool write)
{
  const uint16_t me = (uint16_t)threadIdx.x;
  access_cell &cell = cell_of(word);
  if (cell.launch != here.launch) {
    cell = {word, here.interval, here.launch, blockIdx.x, NOBODY, NOBODY, false};
    here.used++;
  }
  if (cell.block != blockIdx.x) {
    if ((write || cell.written) && shim_device_of((const void *)(word * WORD)) >= 0)
      conflict("without an order between blocks, block", word, cell.block);
    cell.block = blockIdx.x;
  }
  if (cell.interval != here.interval) {
    cell.interval = here.interval;
    cell.writer = cell.reader = NOBODY;
  }
  if (cell.writer != NOBODY && cell.writer != me)
    conflict("between the same two barriers, thread", word, cell.writer);
  if (write && cell.reader != NOBODY && cell.reader != me)
    conflict("between the same two barriers, thread", word, cell.reader == SEVERAL ? 0 : cell.reader);
  if (write) {
    cell.writer = me;
    cell.written = true;
  } else if (cell.reader != me) {
    cell.reader = cell.reader == NOBODY ? me : (uint16_t)SEVERAL;
  }
  if (here.used * 2 > here.cells.size()) grow();
}

static void own_device(const void *memory)
{
  const int device = shim_device_of(memory);
  if (device < 0 || device == shim_device()) return;
  fprintf(stderr,
          "cuda_on_cpu: kernel %s, block %u, thread %u: on device %d, touched memory of device %d (%p)\n",
          here.kernel, blockIdx.x, threadIdx.x, shim_device(), device, memory);
  abort();
}

static void access(const void *memory, size_t bytes, bool write)
{
  if (!here.on || bytes == 0 || shim_is_own_stack(memory)) return;
  own_device(memory);
  const uintptr_t first = (uintptr_t)memory / WORD, last = ((uintptr_t)memory + bytes - 1) / WORD;
  for (uintptr_t word = first; word <= last; word++) touch(word, write);
}

#define ACCESS(size)                                                                                         \
  void __tsan_read##size(void *memory)                                                                       \
  {                                                                                                          \
    access(memory, size, false);                                                                             \
  }                                                                                                          \
  void __tsan_write##size(void *memory)                                                                      \
  {                                                                                                          \
    access(memory, size, true);                                                                              \
  }                                                                                                          \
  void __tsan_unaligned_read##size(void *memory)                                                             \
  {                                                                                                          \
    access(memory, size, false);                                                                             \
  }                                                                                                          \
  void __tsan_unaligned_write##size(void *memory)                                                            \
  {                                                                                                          \
    access(memory, size, true);                                                                              \
  }

extern "C" {
void __tsan_init(void)
{
}
void __tsan_func_entry(void *)
{
}
void __tsan_func_exit(void)
{
}
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
void __tsan_read_range(void *memory, unsigned long bytes)
{
  access(memory, bytes, false);
}
void __tsan_write_range(void *memory, unsigned long bytes)
{
  access(memory, bytes, true);
}
}
