#include "gort/traceback/dwarf_forms.h"

namespace gort::rt {

namespace {

constexpr unsigned kNotFixed = ~0U;

// Bytes of a value whose form alone gives its size; kNotFixed: of another form.
unsigned FixedBytes(unsigned form, bool wide, unsigned addr_bytes) {
  switch (form) {
    case kFormFlagPresent:
    case kFormImplicitConst:
      return 0;
    case kFormData1:
    case kFormFlag:
    case kFormRef1:
    case kFormStrx1:
    case kFormAddrx1:
      return 1;
    case kFormData2:
    case kFormRef2:
    case kFormStrx2:
    case kFormAddrx2:
      return 2;
    case kFormStrx3:
    case kFormAddrx3:
      return 3;
    case kFormData4:
    case kFormRef4:
    case kFormRefSup4:
    case kFormStrx4:
    case kFormAddrx4:
      return 4;
    case kFormData8:
    case kFormRef8:
    case kFormRefSig8:
    case kFormRefSup8:
      return 8;
    case kFormData16:
      return 16;
    case kFormAddr:
      return addr_bytes;
    case kFormStrp:
    case kFormLineStrp:
    case kFormStrpSup:
    case kFormSecOffset:
    case kFormRefAddr:
      return wide ? 8 : 4;
    default:
      return kNotFixed;
  }
}

}  // namespace

void SkipForm(DwarfCursor* c, unsigned form, bool wide, unsigned addr_bytes) {
  if (form == kFormIndirect) form = static_cast<unsigned>(c->Uleb());
  const unsigned fixed = FixedBytes(form, wide, addr_bytes);
  if (fixed != kNotFixed) return c->Skip(fixed);
  switch (form) {
    case kFormSdata:
    case kFormUdata:
    case kFormRefUdata:
    case kFormStrx:
    case kFormAddrx:
    case kFormLoclistx:
    case kFormRnglistx:
      c->Uleb();
      return;
    case kFormString:
      c->Str();
      return;
    case kFormBlock1:
      return c->Skip(c->U8());
    case kFormBlock2:
      return c->Skip(c->U16());
    case kFormBlock4:
      return c->Skip(c->U32());
    case kFormBlock:
    case kFormExprloc:
      return c->Skip(c->Uleb());
    default:  // unknown, or indirect once more
      return c->Skip(~uint64_t{0});
  }
}

const char* DwarfPath(DwarfCursor* c, unsigned form, bool wide, ElfBytes line_str, ElfBytes str) {
  if (form == kFormString) return c->Str();
  if (form == kFormLineStrp) return DwarfCursor(line_str, c->Offset(wide)).Str();
  if (form == kFormStrp) return DwarfCursor(str, c->Offset(wide)).Str();
  SkipForm(c, form, wide, 8);
  return "";
}

}  // namespace gort::rt
