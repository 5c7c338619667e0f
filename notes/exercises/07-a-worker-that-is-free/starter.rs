                        // Which worker has nothing to do?
                        *next
