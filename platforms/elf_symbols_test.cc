#include "gort/platforms/elf_symbols.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"

extern "C" __attribute__((noinline, used)) int gort_elf_symbols_test_marker() { return 1; }

namespace gort::rt {
namespace {

using Ehdr = ElfW(Ehdr);
using Shdr = ElfW(Shdr);

constexpr char kSelf[] = "/proc/self/exe";

int CountNamed(const ElfSymbols& symbols, const char* name) {
  int n = 0;
  for (size_t i = 0; i < symbols.n; ++i) {
    if (strcmp(symbols.NameOf(symbols.syms[i]), name) == 0) ++n;
  }
  return n;
}

// This program's file, as aligned as the functions ask.
class File {
 public:
  File() {
    std::ifstream in(kSelf, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    words_.resize(bytes.size() / sizeof(words_[0]) + 1);
    memcpy(words_.data(), bytes.data(), bytes.size());
    size_ = bytes.size();
  }
  char* data() { return reinterpret_cast<char*>(words_.data()); }
  size_t size() const { return size_; }
  Ehdr* header() { return reinterpret_cast<Ehdr*>(data()); }
  Shdr* sections() { return reinterpret_cast<Shdr*>(data() + header()->e_shoff); }
  ElfSymbols Read() { return ElfSymbolsIn(data(), size()); }

 private:
  std::vector<uint64_t> words_;
  size_t size_;
};

TEST(ElfSymbols, FindsAFunctionOfThisProgram) {
  ASSERT_EQ(gort_elf_symbols_test_marker(), 1);  // or the linker leaves it out
  ElfSymbols symbols = ElfSymbolsOf(kSelf);
  ASSERT_FALSE(symbols.empty());
  EXPECT_EQ(CountNamed(symbols, "gort_elf_symbols_test_marker"), 1);
  for (size_t i = 0; i < symbols.n; ++i) {
    const ElfSym& s = symbols.syms[i];
    if (strcmp(symbols.NameOf(s), "gort_elf_symbols_test_marker") != 0) continue;
    EXPECT_EQ(ElfSymbolType(s), static_cast<unsigned>(STT_FUNC));
    EXPECT_EQ(ElfSymbolBinding(s), static_cast<unsigned>(STB_GLOBAL));
  }
}

TEST(ElfSymbols, NoneWhereThereIsNoElfFile) {
  errno = 1234;
  EXPECT_TRUE(ElfSymbolsOf("/nonexistent/file").empty());
  EXPECT_TRUE(ElfSymbolsOf("/proc").empty());
  EXPECT_TRUE(ElfSymbolsOf("/proc/self/cmdline").empty());
  EXPECT_TRUE(ElfSymbolsOf("/etc/passwd").empty());
  EXPECT_EQ(errno, 1234);
}

TEST(ElfSymbols, TakesTheDynamicOnesFromAStrippedFile) {
  File file;
  const size_t all = file.Read().n;
  bool dynamic = false;
  for (int i = 0; i < file.header()->e_shnum; ++i) {
    Shdr& s = file.sections()[i];
    if (s.sh_type == SHT_SYMTAB) s.sh_type = SHT_PROGBITS;
    if (s.sh_type == SHT_DYNSYM) dynamic = true;
  }
  EXPECT_EQ(!file.Read().empty(), dynamic);
  EXPECT_LT(file.Read().n, all);
}

// Reading outside would be seen by asan, or end the test.
TEST(ElfSymbols, AFileThatIsCutShortIsReadOnlyWhereItIs) {
  File file;
  const size_t size = file.size();
  for (size_t i = 0; i <= 64; ++i) {
    const size_t cut = size * i / 64;
    char* copy = new char[cut];  // operator new aligns it enough
    memcpy(copy, file.data(), cut);
    ElfSymbols symbols = ElfSymbolsIn(copy, cut);
    EXPECT_EQ(symbols.empty(), cut != size) << cut;
    delete[] copy;
  }
  for (size_t cut = 0; cut < sizeof(Ehdr); ++cut) {
    EXPECT_TRUE(ElfSymbolsIn(file.data(), cut).empty());
  }
}

TEST(ElfSymbols, OffsetsAndSizesThatLieAreRefused) {
  const ElfW(Off) lies[] = {1, ~ElfW(Off){0}, ~ElfW(Off){0} - 63, ElfW(Off){1} << 40};
  for (ElfW(Off) lie : lies) {
    File file;
    file.header()->e_shoff = lie;
    EXPECT_TRUE(file.Read().empty()) << lie;
    for (auto field : {&Shdr::sh_offset, &Shdr::sh_size}) {
      File of_sections;
      for (int i = 0; i < of_sections.header()->e_shnum; ++i) {
        Shdr& s = of_sections.sections()[i];
        if (s.sh_type == SHT_STRTAB) s.*field = lie;
      }
      // The bytes at offset 1 may even be strings; nothing is read outside either way.
      ElfSymbols symbols = of_sections.Read();
      for (size_t i = 0; i < symbols.n; ++i) {
        EXPECT_LT(strlen(symbols.NameOf(symbols.syms[i])), of_sections.size());
      }
    }
  }
  File file;
  for (int i = 0; i < file.header()->e_shnum; ++i) file.sections()[i].sh_link = 0xffff;
  EXPECT_TRUE(file.Read().empty());
}

TEST(ElfSymbols, ANameOutsideTheStringsIsEmpty) {
  ElfSymbols symbols = ElfSymbolsOf(kSelf);
  ASSERT_FALSE(symbols.empty());
  ElfSym s{};
  s.st_name = static_cast<ElfW(Word)>(symbols.string_bytes);
  EXPECT_STREQ(symbols.NameOf(s), "");
}

}  // namespace
}  // namespace gort::rt
