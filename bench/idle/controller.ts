/** The measured process: the controller, started as it always is. */
import { runController } from '../../workers/controller/main.ts';

process.exitCode = await runController(process.env);
