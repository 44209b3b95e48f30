import { render } from 'preact';

const place = document.getElementById('page');
if (place) render(<h1>flux-pod</h1>, place);
