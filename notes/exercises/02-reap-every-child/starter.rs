extern "C" fn on_sigchld(_: c_int) {
    // A child has ended, or several have. Nobody waits for them: each stays a zombie, and its slot stays
    // taken.
}
