#include "fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef SHIM_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

enum { STACK = 256 * 1024, FENCE = 16 * 1024 };

#ifdef __x86_64__
extern "C" void shim_switch(void **from, void *to);
/* what the calling convention keeps, then the other stack */
__asm__(".text\n"
        ".type shim_switch,@function\n"
        "shim_switch:\n"
        "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
        "  mov %rsp,(%rdi)\n"
        "  mov %rsi,%rsp\n"
        "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
        "  ret\n"
        ".size shim_switch,.-shim_switch\n");
#endif

void shim_place_switch(shim_place *from, shim_place *to)
{
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(&from->fake_stack, to->bottom, to->size);
#endif
#ifdef SHIM_THREAD_SANITIZER
  if (!from->memory) from->tsan = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(to->tsan, __tsan_switch_to_fiber_no_sync);
#endif
#ifdef __x86_64__
  shim_switch(&from->stack_pointer, to->stack_pointer);
#else
  swapcontext(&from->context, &to->context);
#endif
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(from->fake_stack, nullptr, nullptr);
#endif
}

void shim_place_create(shim_place *place, void (*main)(void))
{
  memset(place, 0, sizeof *place);
  place->memory = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place->memory == MAP_FAILED || mprotect(place->memory, FENCE, PROT_NONE)) abort();
  place->whole = STACK;
  place->bottom = (char *)place->memory + FENCE;
  place->size = STACK - FENCE;
#ifdef __x86_64__
  uint64_t *top = (uint64_t *)((char *)place->memory + STACK) - 2; /* aligned, as after a call */
  top[0] = (uint64_t)(uintptr_t)main;
  place->stack_pointer = top - 6;
#else
  getcontext(&place->context);
  place->context.uc_stack.ss_sp = (char *)place->memory + FENCE;
  place->context.uc_stack.ss_size = STACK - FENCE;
  place->context.uc_link = nullptr;
  makecontext(&place->context, main, 0);
#endif
#ifdef SHIM_THREAD_SANITIZER
  place->tsan = __tsan_create_fiber(0);
#endif
}

void shim_place_enter(shim_place *back)
{
  (void)back;
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(nullptr, &back->bottom, &back->size);
#endif
}

void shim_place_destroy(shim_place *place)
{
#ifdef SHIM_THREAD_SANITIZER
  __tsan_destroy_fiber(place->tsan);
#endif
  munmap(place->memory, STACK);
}

void shim_order_give(void *token)
{
  (void)token;
#ifdef SHIM_THREAD_SANITIZER
  __tsan_release(token);
#endif
}

void shim_order_take(void *token)
{
  (void)token;
#ifdef SHIM_THREAD_SANITIZER
  __tsan_acquire(token);
#endif
}
