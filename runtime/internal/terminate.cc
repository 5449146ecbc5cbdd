#include "gort/runtime/internal/terminate.h"

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <typeinfo>

#include "gort/base/throw.h"
#include "gort/proc/proc.h"

namespace gort::rt {
namespace {

std::terminate_handler previous = nullptr;  // const after InstallTerminateHandler

void PrintException(Printer& p) {
  std::exception_ptr current = std::current_exception();
  if (current == nullptr) {
    p << "std::terminate called without an exception";
    return;
  }
  try {
    std::rethrow_exception(current);
  } catch (const std::exception& e) {
    p << e.what();
  } catch (const char* text) {
    p << text;
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    int status = -1;
    char* name =
        type != nullptr ? abi::__cxa_demangle(type->name(), nullptr, nullptr, &status) : nullptr;
    p << "exception of type " << (status == 0 ? name : type != nullptr ? type->name() : "unknown");
  }
}

[[noreturn]] void OnTerminate() {
  if (!OnGoroutine()) {
    if (previous != nullptr) previous();
    std::abort();
  }
  BeginFatal();
  {
    Printer p;
    p << "panic: ";
    PrintException(p);
    p << '\n';
  }
  fatal_report_hook(false);
  ExitFatal();
}

}  // namespace

void InstallTerminateHandler() { previous = std::set_terminate(&OnTerminate); }

}  // namespace gort::rt
