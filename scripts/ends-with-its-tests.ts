// ends-with-its-tests: loaded into every test file's process by test.ts.
//
// Always:  a file whose tests are over, and whose process does not end since something is still open in it, has failed and says what that is;
//          without this, whoever runs the tests would wait for it for ever.
import { basename } from "node:path";
import { after } from "node:test";

const GRACE_MS = 20_000;

// Node's test runner sets this for the processes of the files; its own process ends with them.
if (process.env["NODE_TEST_CONTEXT"] !== undefined) {
  after(() => {
    const stillThere = (): void => {
      const open = process.getActiveResourcesInfo().join(", ");
      console.error(`The tests of ${basename(process.argv[1] ?? "")} are over, but their process does not end. Still open: ${open}`);
      process.exit(1);
    };
    setTimeout(stillThere, GRACE_MS).unref();
  });
}
