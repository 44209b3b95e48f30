/** The page as `npm run build` makes it from page/, as text in the program. */
import script from '../../dist/page/script.txt';
import style from '../../dist/page/style.txt';
import type { Page } from './routes/page-routes.ts';

export const page: Page = { script, style };
