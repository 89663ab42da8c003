/** The measured process: the controller as it is started everywhere. */
import { runController } from '../../workers/controller/main.ts';

process.exitCode = await runController(process.env);
