"""What happened, numbered per organization and written with the change itself.

What the printers' and the jobs' rooms record (*data* beside the event's own printer and job ids;
`name` is the printer's, `item_name` the job's):

====================  ============================================================================
kind                  when, and its data
====================  ============================================================================
printer.created       made; name
printer.updated       settings changed; name, fields (list of names)
printer.deleted       gone; name
printer.state         its bridge reported another state; name, old_state, state, reason. Offline to
                      anything else is a connect, anything to offline a disconnect; error and
                      halted are failures whose text is reason
printer.plate_cleared, printer.queue_held, printer.queue_released
                      name, and reason where its queue is held
printer.selected      another file is selected for OctoPrint's clients, or none; name, path
printer.settings_updated, pool.settings_updated
                      what only OctoPrint's clients know of it changed; name, and pool_id
printer.profile_added, printer.profile_deleted
                      one of the profiles that OctoPrint's clients choose from; name, identifier
printer.card          its own SD card was listed, or came or went; name, present
printer.card_write_started, printer.card_written, printer.card_write_failed
                      a file goes to that card, is there, or is not; name, file (as it is called
                      there), path (in the printer's tree, "" when it came another way), and
                      size_bytes, time_s, or time_s and reason
printer.slot          what is loaded in a slot changed; name, slot_number
pool.created, pool.updated, pool.deleted
                      pool_id, name; fields
job.created           made, waiting in the queue or for approval; item_name, status
job.updated           settings, hold, order or time changed; item_name, status
job.deleted           gone; item_name, status (the last one)
bridge.cloned         two machines have one identity; name
bridge.survivor_chosen
                      a person said which machine stays; name, other
job.unassigned        its printer or its pool is gone; item_name, status
job.approve, job.reject, job.resubmit, job.reset
                      a person decided; item_name, status, reason
job.plate_needed, job.plate_cleared
                      it waits for nothing but the plate, or no longer
job.grant             its start is on the way to the printer; item_name, status ``scheduled``,
                      print_id, attempt
job.not_started       the printer did not take it; it waits again; reason
job.started           the printer prints it; print_id, attempt
job.paused, job.resumed
                      as the printer reports it; print_id, attempt
job.printed_one       one of several prints is done, the next waits; print_id, attempt, duration_s
job.completed, job.failed, job.cancelled
                      over; reason and, if it was started, print_id, attempt and duration_s
                      (seconds from the start of this attempt to its end)
command.issued, command.<state>
                      a printer is told something, and what became of it
file.added, file.moved, file.removed, folder.added, folder.moved, folder.removed
                      a name in a printer's or pool's tree; path, tree, and old of what was moved
file.uploaded         it came in from outside; path, tree, select, print (what its sender asked
                      for), effective_select, effective_print (what came of it), target (sdcard:
                      it goes on to the printer's card)
file.analysing, file.analysed
                      its moves are followed; path, tree
print_file.added, print_file.removed, model.added, model.updated, model.removed
                      print_file_id or model_id
====================  ============================================================================
"""
