// profile/internal/environment.h: what GODEBUG says about profiles.
// Layer     8. For runtime/: the main goroutine, before the program's main function. Complaints go to
//           stderr.
#ifndef GORT_PROFILE_INTERNAL_ENVIRONMENT_H_
#define GORT_PROFILE_INTERNAL_ENVIRONMENT_H_

namespace gort::rt {

// cpuprofile, from here to the end of the process, and memprofilerate.
void ProfilesFromEnvironment();

}  // namespace gort::rt

#endif  // GORT_PROFILE_INTERNAL_ENVIRONMENT_H_
